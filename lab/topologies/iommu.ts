// SPDX-License-Identifier: MIT
import { acsSwitch, drive, rootPort, topology } from "../topology.ts";

/** With an IOMMU the kernel turns ACS redirection on at boot, wherever it can. */
const parts = {
  kernelArgs: ["intel_iommu=on"],
  iommu: true,
  pci: [rootPort(acsSwitch(drive("A", { cmbMiB: 64 }), drive("B"))), rootPort(drive("C", { cmbMiB: 32 }))],
};

export const iommu = topology({
  ...parts,
  name: "iommu",
  summary:
    "A (64 MiB CMB) and B below a switch with ACS, C (32 MiB CMB), and an IOMMU: the kernel refuses peers",
});

export const iommuZen = topology({
  ...parts,
  name: "iommu-zen",
  summary: "the same on an AMD Zen: every peer is mapped through the host bridge and the IOMMU",
  cpu: "EPYC",
});
