// SPDX-License-Identifier: MIT
// What came after, and what is still refused.
import type { Feature } from "../feature.ts";

const io = ["copy", "files", "passthrough"] as const;

export const beyondFeatures: readonly Feature[] = [
  {
    ...{ id: "refusal-einval", area: "beyond", title: "requests are mapped without a scatterlist" },
    why: "no loss: with it, a refused pair is EINVAL instead of EREMOTEIO",
    matters: io,
    probe: { fn: "blk_rq_dma_map_iter_start", in: ["block/blk-mq-dma.c", "block/blk-merge.c"] },
    options: ["BLK_DEV_NVME"],
    symbols: { names: ["blk_rq_dma_map_iter_start"], isTelling: true },
    ...{ since: "6.17", source: "block/blk-mq-dma.c; release inferred" },
  },
  {
    ...{ id: "multipath", area: "beyond", title: "p2pmem through native NVMe multipath" },
    why: "drives that may have several paths refuse p2pmem unless booted with nvme_core.multipath=N",
    matters: io,
    probe: {
      code: /\b(?:BLK_FEAT_PCI_P2PDMA|QUEUE_FLAG_PCI_P2PDMA)\b/,
      in: ["drivers/nvme/host/multipath.c"],
    },
    options: ["NVME_MULTIPATH", "PCI_P2PDMA"],
    source: "fb0eeeed91f3 (2026); release not verified",
  },
  {
    ...{ id: "md-raid", area: "beyond", title: "p2pmem through md RAID" },
    why: "md devices refuse p2pmem",
    matters: ["copy", "files"],
    probe: {
      code: /\b(?:BLK_FEAT_PCI_P2PDMA|QUEUE_FLAG_PCI_P2PDMA)\b/,
      in: ["drivers/md/md.c", "drivers/md/raid0.c", "drivers/md/raid1.c", "drivers/md/raid10.c"],
    },
    options: ["BLK_DEV_MD", "PCI_P2PDMA"],
    source: "02666132403a (2026); release not verified",
  },
  {
    ...{ id: "long-term-pins", area: "beyond", title: "long-term pins of p2pmem" },
    why: "io_uring's registered buffers and RDMA memory regions can't be made of p2pmem",
    matters: ["rdma"],
    probe: {
      all: [
        { code: /\bFOLL_PCI_P2PDMA\b/, in: ["mm/gup.c"] },
        {
          without: {
            code: /FOLL_LONGTERM\s*\)\s*&&\s*\(?\s*\(?\s*\w+\s*&\s*FOLL_PCI_P2PDMA/,
            in: ["mm/gup.c"],
          },
        },
      ],
    },
    options: ["PCI_P2PDMA"],
    source: "mm/gup.c refuses them in every release up to 6.12; later ones not verified",
  },
  {
    ...{ id: "providers", area: "beyond", title: "providers without struct pages" },
    why: "only memory with struct pages takes part, and an exporter of plain BARs can't ask for the map type",
    matters: [],
    probe: { fn: "pcim_p2pdma_init", in: ["drivers/pci/p2pdma.c"] },
    options: [["PCI_P2PDMA", "PCI_P2PDMA_CORE"]],
    symbols: { names: ["pcim_p2pdma_init"], isTelling: true },
    ...{ since: "6.19", source: "mailing list, October 2025 (v6 of the series)" },
  },
  {
    ...{ id: "vfio-dmabuf", area: "beyond", title: "VFIO exports BARs as dma-buf" },
    why: "memory of a device that a user-space driver owns can't be given to another device",
    matters: ["rdma"],
    probe: { code: /\bVFIO_DEVICE_FEATURE_DMA_BUF\b/, in: ["include/uapi/linux/vfio.h"] },
    options: ["VFIO_PCI", ["PCI_P2PDMA", "PCI_P2PDMA_CORE"]],
    symbols: {
      names: ["vfio_pci_core_feature_dma_buf"],
      isTelling: false,
      module: "vfio_pci_core",
    },
    ...{ since: "6.19", source: "mailing list, October 2025 (v6 of the series)" },
  },
  {
    ...{ id: "rdma-dmabuf", area: "beyond", title: "RDMA memory regions made of a dma-buf" },
    why: "an RDMA adapter can't be given another device's memory",
    matters: ["rdma"],
    probe: {
      fn: "ib_umem_dmabuf_get",
      in: ["drivers/infiniband/core/umem_dmabuf.c", "drivers/infiniband/core/umem.c"],
    },
    options: ["INFINIBAND", "DMA_SHARED_BUFFER"],
    source: "seen in 6.1 and 6.12; first release not verified",
  },
];
