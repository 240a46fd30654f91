// SPDX-License-Identifier: MIT
import { drive, hostBridge, rootPort, topology } from "../topology.ts";

const pci = [rootPort(drive("A", { cmbMiB: 64 })), hostBridge(128, rootPort(drive("B")))];

export const hostBridges = topology({
  name: "host-bridges",
  summary: "drives A (64 MiB CMB) and B below two different host bridges: the kernel refuses peers",
  pci,
});

export const hostBridgesZen = topology({
  name: "host-bridges-zen",
  summary: "the same on an AMD Zen: peers are mapped from one host bridge to the other",
  cpu: "EPYC",
  pci,
});
