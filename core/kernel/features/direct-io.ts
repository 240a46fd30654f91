// SPDX-License-Identifier: MIT
// How pages of p2pmem get from a user's mapping into a request: patches 16 to 21 of the series.
import type { Feature } from "../feature.ts";

const io = ["copy", "files", "passthrough"] as const;

/** 6.2 hands a flag of get_user_pages() down, later kernels one of their own; v5 has functions with flags. */
const ALLOWS = /\b(?:ITER_ALLOW_P2PDMA|FOLL_PCI_P2PDMA)\b/;

export const directIoFeatures: readonly Feature[] = [
  {
    ...{ id: "gup-flag", area: "direct I/O", title: "pages of p2pmem only for those who ask" },
    why: "direct I/O fails with EREMOTEIO or EFAULT on every page of p2pmem",
    matters: io,
    probe: {
      all: [
        { code: ALLOWS, in: ["include/linux/mm.h", "include/linux/mm_types.h"] },
        { code: ALLOWS, in: ["mm/gup.c"] },
      ],
    },
    options: ["PCI_P2PDMA"],
    ...{ since: "6.2", source: "4003f107fa2e" },
  },
  {
    ...{ id: "iov-iter", area: "direct I/O", title: "the wish is passed through iov_iter" },
    why: "the block layer has no way to ask for pages of p2pmem",
    matters: io,
    probe: {
      any: [
        { code: ALLOWS, in: ["lib/iov_iter.c"] },
        { fn: "iov_iter_get_pages_flags", in: ["lib/iov_iter.c"] },
        { fn: "iov_iter_get_pages", parameters: /\bgup_flags\b/, in: ["lib/iov_iter.c"] },
      ],
    },
    options: [],
    ...{ since: "6.2", source: "d82076403cef" },
  },
  {
    ...{ id: "bio-merge", area: "direct I/O", title: "requests keep memory of different providers apart" },
    why: "pages of two providers could end up in one segment, mapped by the rules of the first",
    matters: io,
    probe: {
      code: /\b(?:zone_device_pages_have_same_pgmap|zone_device_pages_compatible)\b/,
      in: ["block/bio.c", "block/blk.h", "block/blk-merge.c"],
    },
    options: ["PCI_P2PDMA"],
    ...{ since: "6.2", source: "49580e690755" },
  },
  {
    ...{ id: "sg-merge", area: "direct I/O", title: "scatterlists keep memory of different providers apart" },
    why: "the same, in scatterlists built from pages",
    matters: io,
    probe: {
      code: /\b(?:zone_device_pages_have_same_pgmap|zone_device_pages_compatible)\b/,
      in: ["lib/scatterlist.c"],
    },
    options: ["PCI_P2PDMA"],
    ...{ since: "6.2", source: "1567b49d1a40" },
  },
  {
    ...{ id: "bio-direct", area: "direct I/O", title: "O_DIRECT reads and writes with p2pmem" },
    why: "pread and pwrite, and all that io_uring does with drives and files, fail with p2pmem",
    matters: ["copy", "files"],
    probe: { code: ALLOWS, in: ["block/bio.c"] },
    options: ["PCI_P2PDMA"],
    ...{ since: "6.2", source: "5e3e3f2e15df" },
  },
  {
    ...{ id: "passthrough", area: "direct I/O", title: "passthrough commands with p2pmem" },
    why: "Compare, vendor commands and others sent by ioctl fail with p2pmem",
    matters: ["passthrough"],
    probe: { code: ALLOWS, in: ["block/blk-map.c"] },
    options: ["PCI_P2PDMA"],
    ...{ since: "6.2", source: "7ee4ccf57484" },
  },
  {
    ...{ id: "file-systems", area: "direct I/O", title: "ext4 or XFS" },
    why: "other file systems are not known to pass direct I/O through to the drive",
    matters: ["files"],
    probe: {
      any: [
        { option: "EXT4_FS", in: ["fs/ext4/Kconfig"] },
        { option: "XFS_FS", in: ["fs/xfs/Kconfig"] },
      ],
    },
    options: [["EXT4_FS", "XFS_FS"]],
    isOption: true,
    source: "tried in the lab (ext4)",
  },
];
