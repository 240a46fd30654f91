// SPDX-License-Identifier: MIT
import { drive, rootPort, topology } from "../topology.ts";

const pci = [
  rootPort(drive("A", { cmbMiB: 64 })),
  rootPort(drive("B", { cmbMiB: 32 })),
  rootPort(drive("C")),
];

/** A host bridge that is on no whitelist: the kernel refuses every peer. */
export const rootPorts = topology({
  name: "root-ports",
  summary: "the same drives, each on its own root port of an unknown host bridge: the kernel refuses peers",
  pci,
});

/** AMD Zen is trusted whatever the host bridge's id, so only the CPU differs. */
export const rootPortsZen = topology({
  name: "root-ports-zen",
  summary: "the same drives on root ports of an AMD Zen: peers are mapped through the host bridge",
  cpu: "EPYC",
  pci,
});
