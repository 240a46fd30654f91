// SPDX-License-Identifier: MIT
import { drive, pciSwitch, rootPort, topology } from "../topology.ts";

export const threeProviders = topology({
  name: "three-providers",
  summary:
    "A (64 MiB CMB), B (32 MiB CMB), C (32 MiB CMB) and D (none) below one switch: for many copies at once",
  pci: [
    rootPort(
      pciSwitch(
        drive("A", { cmbMiB: 64 }),
        drive("B", { cmbMiB: 32 }),
        drive("C", { cmbMiB: 32 }),
        drive("D"),
      ),
    ),
  ],
});
