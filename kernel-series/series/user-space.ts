// SPDX-License-Identifier: MIT
import { code, mail, noted, type SeriesPatch } from "./types.ts";

const common = {
  author: "Logan Gunthorpe",
  group: "user space",
  fate: "replaced",
  mainline: "6.2",
} as const;
const bySysfs = [
  mail("v9 cover letter, 25 August 2022: a file in sysfs instead, at Christoph Hellwig's request"),
  noted("7e9c7ef83d78, documented by 6d4338cb4070"),
];

export const userSpacePatches: readonly SeriesPatch[] = [
  {
    ...common,
    number: 22,
    title: "mm: use custom page_free for P2PDMA pages",
    subsystem: "mm, PCI",
    purpose: "A page of p2pmem returns to its provider's pool with its last reference.",
    needs: [2],
    outcome: "Part of the commit that added the file in sysfs.",
    changes: ["5.18's clean-up left less to do in mm"],
    feature: "page-free",
    sources: [...bySysfs, code("6.1: not there; 6.12: p2pdma_page_free() in drivers/pci/p2pdma.c")],
  },
  {
    ...common,
    number: 23,
    title: "PCI/P2PDMA: Introduce pci_mmap_p2pmem()",
    subsystem: "PCI",
    purpose:
      "Maps p2pmem for a driver's character device. Memory is allocated at the first touch; one anonymous inode for all mappings finds them when the driver goes.",
    needs: [22],
    outcome: "Replaced by p2pmem/allocate in sysfs, which allocates at mmap().",
    changes: [
      "v6 mends two first touches at once, which allocated twice and lost memory",
      "v7 reworks how the pages are kept with the mapping",
      "v9 drops it; patch 2 of our series brings back the name with the rules of sysfs",
    ],
    feature: "driver-mmap",
    sources: [
      ...bySysfs,
      mail("v7 cover letter, changes since v5 and v6"),
      code("6.12: p2pmem_alloc_mmap() in drivers/pci/p2pdma.c, no pci_mmap_p2pmem()"),
    ],
  },
  {
    ...common,
    number: 24,
    title: "nvme-pci: allow mmaping the CMB in userspace",
    subsystem: "NVMe",
    purpose: "mmap() of /dev/nvmeX allocates from the controller's CMB.",
    needs: [23],
    outcome: "Replaced by p2pmem/allocate in sysfs: no hooks are needed in the NVMe driver.",
    changes: [
      "v5 renamed its hook in struct nvme_ctrl_ops from mmap_file_open to cdev_file_open",
      "v9 drops it; patch 3 of our series brings it back",
    ],
    feature: "nvme-mmap",
    sources: [
      ...bySysfs,
      mail("v5 cover letter, changes since v4"),
      code("6.12: nvme_dev_fops in drivers/nvme/host/core.c has no mmap"),
    ],
  },
];
