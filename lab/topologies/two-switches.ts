// SPDX-License-Identifier: MIT
import { drive, pciSwitch, rootPort, topology } from "../topology.ts";

const pci = [
  rootPort(pciSwitch(drive("A", { cmbMiB: 64 }), drive("B"))),
  rootPort(pciSwitch(drive("C", { cmbMiB: 32 }), drive("D"))),
];

export const twoSwitches = topology({
  name: "two-switches",
  summary: "A (64 MiB CMB) and B below one switch, C (32 MiB CMB) and D below another: peers in pairs only",
  pci,
});

export const twoSwitchesZen = topology({
  name: "two-switches-zen",
  summary: "the same on an AMD Zen: between the switches peers are mapped through the host bridge",
  cpu: "EPYC",
  pci,
});
