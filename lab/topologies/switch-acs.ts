// SPDX-License-Identifier: MIT
import { acsSwitch, drive, rootPort, topology } from "../topology.ts";

/** Redirection is off at boot: set it with setpci, before the first mapping. */
export const switchAcs = topology({
  name: "switch-acs",
  summary: "drives A (64 MiB CMB) and B below one switch whose ports have ACS: redirection can be turned on",
  pci: [rootPort(acsSwitch(drive("A", { cmbMiB: 64 }), drive("B")))],
});
