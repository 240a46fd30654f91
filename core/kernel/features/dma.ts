// SPDX-License-Identifier: MIT
// dma_map_sg() for p2pmem, and the drivers that call it: patches 3 to 15 of the series.
import type { Feature } from "../feature.ts";

const P2PDMA = "drivers/pci/p2pdma.c";
const io = ["copy", "files", "passthrough"] as const;

/** What maps a page of p2pmem: a helper of the series up to 6.15, its successor from 6.16 on. */
const MAPS = /\bpci_p2pdma_(?:map_segment|state)\b/;

export const dmaFeatures: readonly Feature[] = [
  {
    ...{ id: "sg-bus-address", area: "DMA mapping", title: "bus addresses marked in scatterlists" },
    why: "unmapping could not tell a bus address from a mapping that has to be undone",
    matters: io,
    probe: { fn: "sg_dma_mark_bus_address", in: ["include/linux/scatterlist.h"] },
    options: ["PCI_P2PDMA"],
    ...{ since: "6.0", source: "42399301203e" },
  },
  {
    ...{ id: "lazy-map-type", area: "DMA mapping", title: "verdict on a pair at its first transfer" },
    why: "memory that user space chose reaches drivers which never asked for the distance",
    matters: io,
    probe: {
      any: [
        { fn: "pci_p2pdma_map_type", body: /\bcalc_map_type_and_dist\b/, in: [P2PDMA] },
        { fn: "pci_p2pdma_update_type", body: /\bcalc_map_type_and_dist\b/, in: [P2PDMA] },
      ],
    },
    options: ["PCI_P2PDMA"],
    ...{ since: "6.0", source: "719c98658058" },
  },
  {
    ...{ id: "map-helpers", area: "DMA mapping", title: "helpers that map one page of p2pmem" },
    why: "no implementation of dma_map_sg() could handle p2pmem",
    matters: io,
    probe: {
      any: [
        { fn: ["pci_p2pdma_map_segment", "__pci_p2pdma_update_state"], in: [P2PDMA] },
        { fn: "pci_p2pdma_state", in: ["include/linux/pci-p2pdma.h"] },
      ],
    },
    options: ["PCI_P2PDMA"],
    symbols: { names: ["pci_p2pdma_map_segment", "__pci_p2pdma_update_state"], isTelling: true },
    ...{ since: "6.0", source: "5e180ff326b4" },
  },
  {
    ...{ id: "dma-eremoteio", area: "DMA mapping", title: "EREMOTEIO for a pair that is refused" },
    why: "a refused pair looks like any other mapping error",
    matters: io,
    probe: { code: /\bEREMOTEIO\b/, in: ["kernel/dma/mapping.c"] },
    options: ["PCI_P2PDMA"],
    ...{ since: "6.0", source: "7c2645a2a30a" },
  },
  {
    ...{ id: "dma-direct", area: "DMA mapping", title: "p2pmem without an IOMMU" },
    why: "no transfers of p2pmem on machines without an IOMMU, or with iommu=pt",
    matters: io,
    probe: { fn: "dma_direct_map_sg", body: MAPS, in: ["kernel/dma/direct.c"] },
    options: ["PCI_P2PDMA"],
    ...{ since: "6.0", source: "f02ad36d4f76" },
  },
  {
    ...{ id: "dma-support-flag", area: "DMA mapping", title: "IOMMU code says whether it can map p2pmem" },
    why: "drivers would offer p2pmem on machines whose IOMMU code fails on it",
    matters: io,
    probe: { fn: "dma_pci_p2pdma_supported", in: ["kernel/dma/mapping.c"] },
    options: ["PCI_P2PDMA"],
    symbols: { names: ["dma_pci_p2pdma_supported"], isTelling: true },
    ...{ since: "6.0", source: "159bf19270e8" },
  },
  {
    ...{ id: "dma-iommu", area: "DMA mapping", title: "p2pmem behind an IOMMU" },
    why: "no transfers of p2pmem while an Intel or AMD IOMMU translates",
    matters: io,
    probe: { fn: "iommu_dma_map_sg", body: MAPS, in: ["drivers/iommu/dma-iommu.c"] },
    options: ["PCI_P2PDMA", "IOMMU_DMA"],
    ...{ since: "6.0", source: "30280eee2db1" },
  },
  {
    ...{ id: "nvme-p2pdma", area: "drivers", title: "NVMe drives take p2pmem where the DMA code can" },
    why: "the block layer refuses p2pmem for a drive that does not ask for it",
    matters: io,
    probe: { fn: "nvme_pci_supports_pci_p2pdma", in: ["drivers/nvme/host/pci.c"] },
    options: ["BLK_DEV_NVME", "PCI_P2PDMA"],
    symbols: { names: ["nvme_pci_supports_pci_p2pdma"], isTelling: true, module: "nvme" },
    ...{ since: "6.0", source: "2f8594412b4b" },
  },
  {
    ...{ id: "nvme-sgtable", area: "drivers", title: "NVMe requests may mix p2pmem and system memory" },
    why: "a request with both fails",
    matters: io,
    probe: {
      fn: ["nvme_map_data", "nvme_pci_map_data"],
      body: /\b(?:dma_map_sgtable|blk_rq_dma_map_iter_start)\b/,
      in: ["drivers/nvme/host/pci.c"],
    },
    options: ["BLK_DEV_NVME"],
    ...{ since: "6.0", source: "91fb2b6052f7" },
  },
  {
    ...{ id: "rdma-check", area: "drivers", title: "RDMA asks whether an adapter can map p2pmem" },
    why: "an NVMe target would offer p2pmem to RDMA adapters without DMA of their own",
    matters: ["nvmet"],
    probe: { fn: "ib_dma_pci_p2p_dma_supported", in: ["include/rdma/ib_verbs.h"] },
    options: ["INFINIBAND"],
    ...{ since: "6.0", source: "495758bb1a72" },
  },
  {
    ...{ id: "rdma-rw", area: "drivers", title: "RDMA reads and writes map p2pmem like other memory" },
    why: "transfers of an NVMe target could not mix p2pmem and system memory",
    matters: ["nvmet"],
    probe: {
      all: [
        { code: /\bib_dma_map_sgtable_attrs\b/, in: ["drivers/infiniband/core/rw.c"] },
        { without: { code: /\bpci_p2pdma_map_sg\b/, in: ["drivers/infiniband/core/rw.c"] } },
      ],
    },
    options: ["INFINIBAND"],
    ...{ since: "6.0", source: "1e97af7f2f0e" },
  },
  {
    ...{ id: "one-way-to-map", area: "drivers", title: "pci_p2pdma_map_sg() is gone" },
    why: "drivers still have to map p2pmem apart from other memory",
    matters: [],
    probe: {
      all: [
        { fn: "pci_p2pdma_add_resource", in: [P2PDMA] },
        { without: { fn: ["pci_p2pdma_map_sg", "pci_p2pdma_map_sg_attrs"], in: [P2PDMA] } },
      ],
    },
    options: ["PCI_P2PDMA"],
    ...{ since: "6.0", source: "0d06132fc84b" },
  },
  {
    ...{ id: "nvmet-p2pmem", area: "drivers", title: "NVMe target keeps its data in p2pmem" },
    why: "data of an NVMe over Fabrics target goes through system memory",
    matters: ["nvmet"],
    probe: {
      fn: ["nvmet_req_alloc_p2pmem_sgls", "nvmet_req_find_p2p_dev"],
      in: ["drivers/nvme/target/core.c"],
    },
    options: ["NVME_TARGET", "PCI_P2PDMA"],
    ...{ since: "4.20", source: "the release's own notes; commit not verified" },
  },
];
