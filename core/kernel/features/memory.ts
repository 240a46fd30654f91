// SPDX-License-Identifier: MIT
// The memory itself, and which pairs of devices may use it.
import type { Feature } from "../feature.ts";

const P2PDMA = "drivers/pci/p2pdma.c";
const io = ["copy", "files", "passthrough"] as const;
const pairs = ["copy", "files", "passthrough", "nvmet"] as const;

export const memoryFeatures: readonly Feature[] = [
  {
    ...{ id: "zone-device", area: "memory", title: "struct pages for device memory" },
    why: "p2pmem is device memory with struct pages; without them no driver can name it in a request",
    matters: pairs,
    probe: { option: "ZONE_DEVICE", in: ["mm/Kconfig"] },
    options: ["ZONE_DEVICE"],
    isOption: true,
    symbols: { names: ["memremap_pages", "devm_memremap_pages"], isTelling: true },
    source: "mm/Kconfig",
  },
  {
    ...{ id: "p2pdma", area: "memory", title: "the P2PDMA core" },
    why: "nothing turns a CMB or another BAR into p2pmem",
    matters: ["copy", "files", "passthrough", "rdma", "nvmet"],
    probe: { fn: "pci_p2pdma_add_resource", in: [P2PDMA] },
    options: ["PCI_P2PDMA"],
    isOption: true,
    symbols: { names: ["pci_p2pdma_add_resource"], isTelling: true },
    ...{ since: "4.20", source: "52916982af48" },
  },
  {
    ...{ id: "cmb-1.4", area: "memory", title: "CMBs of NVMe 1.4 drives" },
    why: "drives since NVMe 1.4 hide their CMB until the driver enables it: it looks as if there were none",
    matters: io,
    probe: { fn: "nvme_map_cmb", body: /\bNVME_CMBMSC_CMSE\b/, in: ["drivers/nvme/host/pci.c"] },
    options: ["BLK_DEV_NVME", "PCI_P2PDMA"],
    ...{ since: "5.12", source: "20d3bb92e84d" },
  },
  {
    ...{ id: "host-bridge", area: "memory", title: "pairs below different root ports" },
    why: "only drives below one switch reach each other",
    matters: pairs,
    probe: {
      any: [
        { variable: "pci_p2pdma_whitelist", sets: /./, in: [P2PDMA] },
        { fn: "root_complex_whitelist", in: [P2PDMA] },
      ],
    },
    options: ["PCI_P2PDMA"],
    ...{ since: "5.2", source: "0f97da831026" },
  },
  {
    ...{ id: "amd-zen", area: "memory", title: "any AMD CPU since Zen as host bridge" },
    why: "on AMD servers only listed host bridges forward peer-to-peer traffic",
    matters: pairs,
    probe: { fn: "cpu_supports_p2pdma", in: [P2PDMA] },
    options: ["PCI_P2PDMA"],
    ...{ since: "5.9", source: "dea286bb71ba" },
  },
  {
    ...{ id: "intel-xeon", area: "memory", title: "Intel Xeons since Ice Lake as host bridge" },
    why: "on these servers drives below different root ports are refused",
    matters: pairs,
    probe: { variable: "pci_p2pdma_whitelist", sets: /\b0x09a2\b/i, in: [P2PDMA] },
    options: ["PCI_P2PDMA"],
    ...{ since: "5.18", source: "feaea1fe8b36" },
  },
];
