// SPDX-License-Identifier: MIT
import { code, noted, type SeriesPatch } from "./types.ts";

const common = {
  author: "Logan Gunthorpe",
  group: "drivers",
  fate: "merged",
  outcome: "Merged.",
  mainline: "6.0",
  changes: [],
} as const;

export const driverPatches: readonly SeriesPatch[] = [
  {
    ...common,
    number: 11,
    title: "nvme-pci: check DMA ops when indicating support for PCI P2PDMA",
    subsystem: "NVMe",
    purpose:
      "A drive takes p2pmem only where the DMA code can map it, by a function of the transport instead of a flag.",
    needs: [9],
    feature: "nvme-p2pdma",
    sources: [
      noted("2f8594412b4b"),
      code("6.1 and 6.12: nvme_pci_supports_pci_p2pdma() in drivers/nvme/host/pci.c"),
    ],
  },
  {
    ...common,
    number: 12,
    title: "nvme-pci: convert to using dma_map_sgtable()",
    subsystem: "NVMe",
    purpose:
      "One mapping call for every request, whatever memory it has; a refused pair gets an error of its own.",
    needs: [7, 8, 10],
    changes: ["since 6.17 requests are mapped without a scatterlist"],
    feature: "nvme-sgtable",
    sources: [
      noted("91fb2b6052f7"),
      code("6.1 and 6.12: nvme_map_data() in drivers/nvme/host/pci.c calls dma_map_sgtable()"),
    ],
  },
  {
    ...common,
    number: 13,
    title: "RDMA/core: introduce ib_dma_pci_p2p_dma_supported()",
    subsystem: "RDMA",
    purpose: "The same question for RDMA adapters: those without DMA of their own can't take p2pmem.",
    needs: [9],
    feature: "rdma-check",
    sources: [
      noted("495758bb1a72"),
      code("6.1 and 6.12: include/rdma/ib_verbs.h, used in drivers/nvme/target/rdma.c"),
    ],
  },
  {
    ...common,
    number: 14,
    title: "RDMA/rw: drop pci_p2pdma_[un]map_sg()",
    subsystem: "RDMA",
    purpose: "RDMA reads and writes of kernel drivers map p2pmem like other memory; the case apart goes.",
    needs: [8, 10, 13],
    feature: "rdma-rw",
    sources: [
      noted("1e97af7f2f0e"),
      code("6.1 and 6.12: drivers/infiniband/core/rw.c has ib_dma_map_sgtable_attrs() only"),
    ],
  },
  {
    ...common,
    number: 15,
    title: "PCI/P2PDMA: Remove pci_p2pdma_[un]map_sg()",
    subsystem: "PCI",
    purpose: "Nobody is left who maps p2pmem apart from other memory.",
    needs: [12, 14],
    feature: "one-way-to-map",
    sources: [noted("0d06132fc84b"), code("6.1 and 6.12: no such function in drivers/pci/p2pdma.c")],
  },
];
