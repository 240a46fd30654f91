// SPDX-License-Identifier: MIT
import { labUsageError } from "../errors.ts";
import type { Topology } from "../topology.ts";
import { fast } from "./fast.ts";
import { hostBridges } from "./host-bridges.ts";
import { rootPorts, rootPortsZen } from "./root-ports.ts";
import { switchTopology } from "./switch.ts";
import { switchAcs } from "./switch-acs.ts";

/** Every topology; the first is the default. */
export const topologies: readonly Topology[] = [
  switchTopology,
  switchAcs,
  rootPorts,
  rootPortsZen,
  hostBridges,
  fast,
];

/** @throws LabError (exit code 2) naming the known ones. */
export function findTopology(name = "switch"): Topology {
  const found = topologies.find((candidate) => candidate.name === name);
  if (found) return found;
  const known = topologies.map((candidate) => candidate.name).join(", ");
  throw labUsageError(`No lab topology is called "${name}"`, `choose one of: ${known}`);
}
