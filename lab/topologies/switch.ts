// SPDX-License-Identifier: MIT
import { drive, pciSwitch, rootPort, topology } from "../topology.ts";

export const switchTopology = topology({
  name: "switch",
  summary:
    "drives A (64 MiB CMB), B (32 MiB CMB) and C (none) below one switch: every pair may do peer-to-peer",
  pci: [rootPort(pciSwitch(drive("A", { cmbMiB: 64 }), drive("B", { cmbMiB: 32 }), drive("C")))],
});
