// SPDX-License-Identifier: MIT
import { acsSwitch, drive, pciSwitch, rootPort, topology } from "../topology.ts";

export const cascade = topology({
  name: "cascade",
  summary:
    "drive A (64 MiB CMB) below a switch, B (32 MiB CMB) and C below a second switch that hangs off it",
  pci: [rootPort(acsSwitch(drive("A", { cmbMiB: 64 }), pciSwitch(drive("B", { cmbMiB: 32 }), drive("C"))))],
});
