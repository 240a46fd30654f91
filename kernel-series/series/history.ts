// SPDX-License-Identifier: MIT
import { code, type Episode, inferred, mail, noted, unverified } from "./types.ts";

/** What the series stands on. */
export const ancestors: readonly Episode[] = [
  {
    ...{ when: "March 2017", title: "a p2pmem device", mainline: undefined, feature: undefined },
    what: "RFC of 8 patches for an NVMe target: memory on a device becomes a p2pmem device of its own, with an allocator that takes the devices in use into account. Choosing memory when it is allocated has been the principle since: finding out at map time that it does not work is too late.",
    sources: [
      mail(
        'linux-nvme, "[RFC 0/8] Copy Offload with Peer-to-Peer PCI Memory", replies of 15 to 18 April 2017',
      ),
      unverified("day of the first posting"),
    ],
  },
  {
    ...{
      when: "April 2017",
      title: "map_sg_p2p, an operation for mapping p2pmem",
      mainline: undefined,
      feature: undefined,
    },
    what: "Proposed by Jason Gunthorpe: a second dma_map_ops function for scatterlists with p2pmem, equal to map_sg where that can handle it, and removed when all can. Five years later the series went the same way with a flag instead of a function.",
    sources: [mail("linux-nvme, 18 April 2017"), inferred("the comparison")],
  },
  {
    ...{
      when: "April 2017",
      title: "no bus offsets, no host bridges at first",
      mainline: undefined,
      feature: undefined,
    },
    what: "Machines whose bus addresses differ from CPU addresses and transfers across a host bridge were left for later, since both work on some machines only. Offsets came with the first merged version, host bridges from 5.2 on.",
    sources: [mail("linux-rdma, April 2017"), inferred("what came when")],
  },
  {
    ...{ when: "2018", title: "P2PDMA without a device of its own", mainline: "4.20", feature: "p2pdma" },
    what: "The allocator hangs on the PCI function that has the memory; sysfs shows size, available and published. Only functions below one switch, without ACS redirection.",
    sources: [
      noted("52916982af48"),
      code("6.1: Documentation/ABI/testing/sysfs-bus-pci dates the three files November 2017"),
    ],
  },
  {
    ...{ when: "2018", title: "NVMe target with p2pmem", mainline: "4.20", feature: "nvmet-p2pmem" },
    what: "The first user: an NVMe over Fabrics target receives data from the RDMA adapter right in a drive's CMB.",
    sources: [code("6.1: nvmet_req_alloc_p2pmem_sgls() in drivers/nvme/target/core.c"), unverified("commit")],
  },
  {
    ...{ when: "2019", title: "listed host bridges", mainline: "5.2", feature: "host-bridge" },
    what: "Two devices below listed AMD root complexes may talk to each other; the list has grown since.",
    sources: [noted("0f97da831026"), code("6.1: pci_p2pdma_whitelist in drivers/pci/p2pdma.c")],
  },
  {
    ...{ when: "2019", title: "three map types", mainline: "5.4", feature: "host-bridge" },
    what: "Bus address, through the host bridge, or not supported: what ACS redirects may still go through a listed host bridge, and the IOMMU maps it.",
    sources: [noted("494d63b0d5d0"), code("6.1: calc_map_type_and_dist() in drivers/pci/p2pdma.c")],
  },
  {
    ...{ when: "2020", title: "any AMD CPU since Zen", mainline: "5.9", feature: "amd-zen" },
    what: "No list of host bridges for AMD any more: the CPU's family decides.",
    sources: [noted("dea286bb71ba"), code("6.1: cpu_supports_p2pdma() in drivers/pci/p2pdma.c")],
  },
  {
    ...{ when: "2020", title: "CMBs of NVMe 1.4", mainline: "5.12", feature: "cmb-1.4" },
    what: "The driver enables a CMB that the drive hides until asked.",
    sources: [
      noted("20d3bb92e84d"),
      code("6.1: nvme_map_cmb() in drivers/nvme/host/pci.c"),
      unverified("year"),
    ],
  },
];

/** What came after it. */
export const successors: readonly Episode[] = [
  {
    ...{ when: "2022", title: "p2pmem/allocate", mainline: "6.2", feature: "sysfs-allocate" },
    what: "The interface of mainline: mmap of a file in sysfs allocates, ENOMEM when there is not enough, EINVAL for a private mapping or an offset.",
    sources: [noted("7e9c7ef83d78, 6d4338cb4070"), code("6.12: p2pmem_alloc_mmap() in drivers/pci/p2pdma.c")],
  },
  {
    ...{
      when: "2025",
      title: "requests mapped without a scatterlist",
      mainline: "6.17",
      feature: "refusal-einval",
    },
    what: "The block layer maps a request step by step. A refused pair is EINVAL to programs from here on.",
    sources: [
      mail('linux-nvme, "nvme-pci: convert the data mapping to blk_rq_dma_map", June 2025'),
      noted("block/blk-mq-dma.c"),
      inferred("release"),
    ],
  },
  {
    ...{ when: "2025", title: "providers split from memory", mainline: "6.19", feature: "providers" },
    what: "struct p2pdma_provider and pcim_p2pdma_init(): a BAR can take part without struct pages, and others than the DMA code may ask for the map type.",
    sources: [
      mail('linaro-mm-sig, "vfio/pci: Allow MMIO regions to be exported through dma-buf", v3 to v6, 2025'),
      noted("release"),
    ],
  },
  {
    ...{ when: "2025", title: "VFIO exports BARs as dma-buf", mainline: "6.19", feature: "vfio-dmabuf" },
    what: "A user-space driver such as SPDK hands its drive's CMB or doorbells to an RDMA adapter. Access is revoked when the device is reset or closed.",
    sources: [
      mail("linaro-mm-sig, cover letters of v3 to v6, 2025"),
      noted("6.19, as news reported of the VFIO pull request"),
      code("6.12: not there"),
    ],
  },
  {
    ...{ when: "2026", title: "multipath and md pass p2pmem on", mainline: undefined, feature: "multipath" },
    what: "Drives with several paths, and md arrays, take p2pmem when all the devices below do.",
    sources: [
      noted("fb0eeeed91f3, 02666132403a, 7882834048f1"),
      unverified("first release"),
      code("6.12: not there"),
    ],
  },
  {
    ...{
      when: "2026",
      title: "a failed mapping is released",
      mainline: "7.0",
      feature: "failed-map-released",
    },
    what: "p2pmem/allocate drops its reference when mapping fails halfway, so that the provider can be removed.",
    sources: [
      noted("6220694c52a5"),
      code("6.12: p2pmem_alloc_mmap() in drivers/pci/p2pdma.c, which has it since 6.12.75"),
    ],
  },
  {
    ...{
      when: "2026",
      title: "reads and writes into a dma-buf, in discussion",
      mainline: undefined,
      feature: undefined,
    },
    what: "An io_uring ring registers a dma-buf for a file, and reads and writes between drive and dma-buf follow, mapped once. NVMe block devices first. An earlier attempt premapped registered buffers.",
    sources: [
      mail("io-uring and linaro-mm-sig, series by Pavel Begunkov, 29 April 2026"),
      unverified("whether it was merged since; there is no probe for it"),
    ],
  },
  {
    ...{
      when: "2026",
      title: "VFIO memory with struct pages, in discussion",
      mainline: undefined,
      feature: undefined,
    },
    what: "Proposed: BARs of a VFIO device registered as p2pmem, allocated through sysfs. The answer asked for dma-buf and io_uring instead.",
    sources: [mail('"[RFC PATCH 0/5] vfio/pci: Support ZONE_DEVICE-backed P2P Registration", June 2026')],
  },
];
