// SPDX-License-Identifier: MIT
import { code, inferred, mail, noted, type SeriesPatch } from "./types.ts";

const common = { author: "Logan Gunthorpe", group: "DMA mapping", mainline: "6.0" } as const;
const asSent = { fate: "merged", outcome: "Merged.", changes: [] } as const;

export const dmaMappingPatches: readonly SeriesPatch[] = [
  {
    ...{ ...common, ...asSent },
    number: 3,
    title: "lib/scatterlist: add flag for indicating P2PDMA segments in an SGL",
    subsystem: "lib/scatterlist",
    purpose:
      "A bit per segment that says: this DMA address is a bus address, nothing was mapped. Unmapping then leaves it alone. The bit is free on 64-bit machines only, hence P2PDMA depends on them.",
    needs: [],
    changes: [
      "the bit moved to dma_flags of struct scatterlist (CONFIG_NEED_SG_DMA_FLAGS), and the test was renamed to sg_dma_is_bus_address()",
    ],
    feature: "sg-bus-address",
    sources: [
      noted("42399301203e"),
      code("6.1: sg_dma_mark_bus_address() and sg_is_dma_bus_address() in include/linux/scatterlist.h"),
      code("6.12: the renamed test, and select NEED_SG_DMA_FLAGS in drivers/pci/Kconfig"),
    ],
  },
  {
    ...{ ...common, ...asSent },
    number: 4,
    title: "PCI/P2PDMA: Attempt to set map_type if it has not been set",
    subsystem: "PCI",
    purpose:
      "So far an orchestrating driver asked for the distance before the first transfer, and left the map type behind. Memory chosen by a program comes without that question: work the verdict out at the first mapping.",
    needs: [],
    feature: "lazy-map-type",
    sources: [noted("719c98658058"), code("6.1: pci_p2pdma_map_type() calls calc_map_type_and_dist()")],
  },
  {
    ...common,
    number: 5,
    title: "PCI/P2PDMA: Expose pci_p2pdma_map_type()",
    subsystem: "PCI",
    purpose: "Let implementations of dma_map_sg() ask how a pair is mapped.",
    needs: [4],
    fate: "reworked",
    outcome: "Not exposed after all: folded into the helpers of patch 6, the only callers.",
    changes: ["declared for other parts of the kernel again with the provider split of 6.19"],
    feature: "map-helpers",
    sources: [
      noted("5e180ff326b4"),
      inferred("folded into that commit"),
      code("6.1 and 6.12: pci_p2pdma_map_type() is static in drivers/pci/p2pdma.c"),
      mail("linaro-mm-sig, the series for 6.19: declared in include/linux/pci-p2pdma.h"),
    ],
  },
  {
    ...{ ...common, ...asSent },
    number: 6,
    title: "PCI/P2PDMA: Introduce helpers for dma_map_sg implementations",
    subsystem: "PCI",
    purpose:
      "One call per segment: gives it the bus address, or says that it goes through the host bridge, or that the pair is refused.",
    needs: [3, 5],
    changes: ["pci_p2pdma_map_segment() gave way to pci_p2pdma_state() around 6.16"],
    feature: "map-helpers",
    sources: [
      noted("5e180ff326b4"),
      code("6.1 and 6.12: pci_p2pdma_map_segment() in drivers/pci/p2pdma.c"),
      inferred("the release of its successor"),
    ],
  },
  {
    ...{ ...common, ...asSent },
    number: 7,
    title: "dma-mapping: allow EREMOTEIO return code for P2PDMA transfers",
    subsystem: "DMA API",
    purpose: "dma_map_sgtable() may say that the pair is refused, rather than that mapping failed.",
    needs: [],
    changes: ["what programs see became EINVAL with the scatterlist-free mapping of 6.17"],
    feature: "dma-eremoteio",
    sources: [
      noted("7c2645a2a30a"),
      code("6.1 and 6.12: __dma_map_sg_attrs() in kernel/dma/mapping.c"),
      inferred("6.17"),
    ],
  },
  {
    ...{ ...common, ...asSent },
    number: 8,
    title: "dma-direct: support PCI P2PDMA pages in dma-direct map_sg",
    subsystem: "DMA API",
    purpose:
      "p2pmem in scatterlists where no IOMMU translates. Also keeps it out of swiotlb, which would copy it.",
    needs: [3, 6, 7],
    feature: "dma-direct",
    sources: [
      noted("f02ad36d4f76"),
      code("6.1 and 6.12: dma_direct_map_sg() in kernel/dma/direct.c"),
      mail("v5 cover letter, changes since v3: swiotlb is not used"),
    ],
  },
  {
    ...{ ...common, ...asSent },
    number: 9,
    title: "dma-mapping: add flags to dma_map_ops to indicate PCI P2PDMA support",
    subsystem: "DMA API",
    purpose:
      "Drivers can ask whether the DMA code below them is one that knows p2pmem, before they offer it.",
    needs: [],
    changes: [
      "the flag itself is gone by 6.12, where dma-iommu is no dma_map_ops any more; the question stayed",
    ],
    feature: "dma-support-flag",
    sources: [
      noted("159bf19270e8"),
      code(
        "6.1: DMA_F_PCI_P2PDMA_SUPPORTED; 6.1 and 6.12: dma_pci_p2pdma_supported() in kernel/dma/mapping.c",
      ),
    ],
  },
  {
    ...{ ...common, ...asSent },
    number: 10,
    title: "iommu/dma: support PCI P2PDMA pages in dma-iommu map_sg",
    subsystem: "IOMMU",
    purpose:
      "The same behind an IOMMU: bus addresses are left out of the IOVA range that is mapped for the rest of the list. Intel and AMD; others as they move to this code.",
    needs: [3, 6, 7, 9],
    changes: ["came with a new preparing patch, c96321834b2f"],
    feature: "dma-iommu",
    sources: [
      noted("30280eee2db1, c96321834b2f"),
      code("6.1 and 6.12: iommu_dma_map_sg() in drivers/iommu/dma-iommu.c"),
    ],
  },
];
