// SPDX-License-Identifier: MIT
import { code, mail, noted, type SeriesPatch } from "./types.ts";

const common = {
  author: "Logan Gunthorpe",
  group: "direct I/O",
  fate: "merged",
  outcome: "Merged.",
  mainline: "6.2",
  changes: [],
} as const;

export const directIoPatches: readonly SeriesPatch[] = [
  {
    ...common,
    number: 16,
    title: "mm: introduce FOLL_PCI_P2PDMA to gate getting PCI P2PDMA pages",
    subsystem: "mm",
    purpose:
      "get_user_pages() gives pages of p2pmem only to callers that ask for them, so that none reaches code which would touch it with the CPU. Long-term pins are refused together with it: the memory must be able to go away.",
    needs: [],
    changes: ["came with a new preparing patch, 0f0892356fa1", "the flag moved from mm.h to mm_types.h"],
    feature: "gup-flag",
    sources: [
      noted("4003f107fa2e, 0f0892356fa1"),
      code("6.1: not there; 6.12: include/linux/mm_types.h, mm/gup.c"),
    ],
  },
  {
    ...common,
    number: 17,
    title: "iov_iter: introduce iov_iter_get_pages_[alloc_]flags()",
    subsystem: "lib/iov_iter",
    purpose: "Carries the wish for p2pmem from the block layer to get_user_pages().",
    needs: [16],
    fate: "reworked",
    outcome: "Merged with another interface, which has changed once more since.",
    changes: [
      "6.2: a parameter of iov_iter_get_pages() instead of new functions",
      "by 6.12: ITER_ALLOW_P2PDMA, a flag of iov_iter_extract_pages()",
    ],
    feature: "iov-iter",
    sources: [
      noted("d82076403cef"),
      mail("v9 cover letter: reworked because iov_iter had changed"),
      code("6.1: not there; 6.12: lib/iov_iter.c, include/linux/uio.h"),
    ],
  },
  {
    ...common,
    number: 18,
    title: "block: add check when merging zone device pages",
    subsystem: "block",
    purpose:
      "Neighbouring pages of two providers do not end up in one segment, to be mapped by the rules of the first.",
    needs: [],
    changes: ["13920e4b7b78 and 41c665aae2b5 (2026, stable trees too) keep them apart in a whole bio"],
    feature: "bio-merge",
    sources: [
      noted("49580e690755; 13920e4b7b78 and 41c665aae2b5"),
      code("6.12: zone_device_pages_compatible() in block/bio.c, which came with 6.12.86 and 6.12.88"),
      code("6.1: not there; 6.12: zone_device_pages_have_same_pgmap() in block/bio.c and block/blk.h"),
    ],
  },
  {
    ...common,
    number: 19,
    title: "lib/scatterlist: add check when merging zone device pages",
    subsystem: "lib/scatterlist",
    purpose: "The same where scatterlists are built from pages.",
    needs: [],
    feature: "sg-merge",
    sources: [noted("1567b49d1a40"), code("6.1: not there; 6.12: lib/scatterlist.c")],
  },
  {
    ...common,
    number: 20,
    title: "block: set FOLL_PCI_P2PDMA in __bio_iov_iter_get_pages()",
    subsystem: "block",
    purpose: "O_DIRECT reads and writes accept p2pmem when the drive's queue says it can take it.",
    needs: [11, 16, 17, 18],
    feature: "bio-direct",
    sources: [noted("5e3e3f2e15df"), code("6.1: not there; 6.12: block/bio.c")],
  },
  {
    ...common,
    number: 21,
    title: "block: set FOLL_PCI_P2PDMA in bio_map_user_iov()",
    subsystem: "block",
    purpose: "Passthrough commands accept it too.",
    needs: [11, 16, 17],
    feature: "passthrough",
    sources: [noted("7ee4ccf57484"), code("6.1: not there; 6.12: block/blk-map.c")],
  },
];
