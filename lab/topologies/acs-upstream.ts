// SPDX-License-Identifier: MIT
import { acsEverywhereSwitch, drive, rootPort, topology } from "../topology.ts";

/** The port above both ends counts as much as those on the way. */
export const acsUpstream = topology({
  name: "acs-upstream",
  summary: "drives A (64 MiB CMB) and B below one switch whose upstream port has ACS, like all its ports",
  pci: [rootPort(acsEverywhereSwitch(drive("A", { cmbMiB: 64 }), drive("B")))],
});
