// SPDX-License-Identifier: MIT
import { drive, rootPort, siblings, topology } from "../topology.ts";

/** Without a bridge above them even two functions of one device have no bridge in common. */
export const rootBus = topology({
  name: "root-bus",
  summary:
    "drives A (64 MiB CMB) and B, functions of one device, and C sit on the root bus, D on a root port",
  pci: [siblings(drive("A", { cmbMiB: 64 }), drive("B")), drive("C", { cmbMiB: 32 }), rootPort(drive("D"))],
});
