// SPDX-License-Identifier: MIT
// How a program gets p2pmem: patches 22 to 24 of the series, and what mainline has instead.
import type { Feature } from "../feature.ts";

const io = ["copy", "files", "passthrough"] as const;

const P2PDMA = "drivers/pci/p2pdma.c";

export const userSpaceFeatures: readonly Feature[] = [
  {
    ...{ id: "page-free", area: "user space", title: "each page returns by itself to its pool" },
    why: "memory could be handed out anew while a transfer still writes to it",
    matters: io,
    probe: {
      any: [
        { variable: "p2pdma_pgmap_ops", sets: /\.(?:page|folio)_free\s*=/, in: [P2PDMA] },
        { fn: ["p2pdma_page_free", "p2pdma_folio_free"], in: [P2PDMA] },
      ],
    },
    options: ["PCI_P2PDMA"],
    symbols: { names: ["p2pdma_page_free", "p2pdma_folio_free"], isTelling: true },
    ...{ since: "6.2", source: "7e9c7ef83d78" },
  },
  {
    ...{ id: "sysfs-allocate", area: "user space", title: "p2pmem/allocate in sysfs" },
    why: "programs can't get p2pmem the way mainline offers it",
    matters: io,
    probe: { variable: "p2pmem_alloc_attr", sets: /\.mmap\s*=/, in: [P2PDMA] },
    options: ["PCI_P2PDMA"],
    symbols: { names: ["p2pmem_alloc_mmap"], isTelling: true },
    ...{ since: "6.2", source: "7e9c7ef83d78" },
  },
  {
    ...{ id: "driver-mmap", area: "user space", title: "drivers can map p2pmem through their own file" },
    why: "only the file in sysfs gives access; not needed where that is there",
    matters: io,
    probe: { fn: "pci_mmap_p2pmem", in: [P2PDMA] },
    options: ["PCI_P2PDMA"],
    symbols: { names: ["pci_mmap_p2pmem"], isTelling: true },
    source: "never in mainline: the series up to v7, and our patch 2",
  },
  {
    ...{ id: "nvme-mmap", area: "user space", title: "mmap of /dev/nvmeX" },
    why: "programs can't allocate from the CMB of a drive by its name; not needed where sysfs is there",
    matters: io,
    probe: {
      variable: "nvme_dev_fops",
      sets: /\.mmap\s*=/,
      in: ["drivers/nvme/host/core.c"],
    },
    options: ["BLK_DEV_NVME", "PCI_P2PDMA"],
    symbols: { names: ["nvme_dev_mmap"], isTelling: false, module: "nvme_core" },
    source: "never in mainline: the series up to v7, and our patch 3",
  },
  {
    ...{ id: "map-at-once", area: "user space", title: "running out of p2pmem is ENOMEM, at mmap" },
    why: "memory is allocated at the first touch, and running out of it kills the program with SIGBUS",
    matters: io,
    probe: {
      fn: ["p2pmem_alloc_mmap", "p2pmem_map_vma"],
      body: /\bvm_insert_pages?\b/,
      in: [P2PDMA],
    },
    options: ["PCI_P2PDMA"],
    symbols: { names: ["p2pmem_alloc_mmap"], isTelling: true },
    ...{ since: "6.2", source: "7e9c7ef83d78" },
  },
  {
    ...{ id: "failed-map-released", area: "user space", title: "a failed mapping does not block removal" },
    why: "after an mmap of p2pmem that failed halfway, unbinding the provider's driver hangs",
    matters: io,
    probe: {
      fn: ["p2pmem_alloc_mmap", "p2pmem_map_vma"],
      body: /\bvm_insert_page\b[^;]*;\s*if \(ret\) \{[^}]*\bpercpu_ref_put\b/,
      in: [P2PDMA],
    },
    options: ["PCI_P2PDMA"],
    ...{ since: "7.0", source: "6220694c52a5, also in 6.19.y and 6.12.117" },
  },
];
