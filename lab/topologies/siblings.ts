// SPDX-License-Identifier: MIT
import { drive, rootPort, siblings, topology } from "../topology.ts";

export const siblingFunctions = topology({
  name: "siblings",
  summary: "drives A (64 MiB CMB) and B are two functions of one device; C has a root port of its own",
  pci: [rootPort(siblings(drive("A", { cmbMiB: 64 }), drive("B"))), rootPort(drive("C"))],
});
