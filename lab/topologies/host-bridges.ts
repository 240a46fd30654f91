// SPDX-License-Identifier: MIT
import { drive, hostBridge, rootPort, topology } from "../topology.ts";

export const hostBridges = topology({
  name: "host-bridges",
  summary: "drives A (64 MiB CMB) and B below two different host bridges: the kernel refuses peers",
  pci: [rootPort(drive("A", { cmbMiB: 64 })), hostBridge(128, rootPort(drive("B")))],
});
