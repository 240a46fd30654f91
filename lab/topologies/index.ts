// SPDX-License-Identifier: MIT
import { labUsageError } from "../errors.ts";
import type { Topology } from "../topology.ts";
import { acsUpstream } from "./acs-upstream.ts";
import { cascade } from "./cascade.ts";
import { fast } from "./fast.ts";
import { fastPairs } from "./fast-pairs.ts";
import { hostBridges, hostBridgesZen } from "./host-bridges.ts";
import { iommu, iommuZen } from "./iommu.ts";
import { rootBus } from "./root-bus.ts";
import { rootPorts, rootPortsZen } from "./root-ports.ts";
import { siblingFunctions } from "./siblings.ts";
import { switchTopology } from "./switch.ts";
import { switchAcs } from "./switch-acs.ts";
import { threeProviders } from "./three-providers.ts";
import { twoSwitches, twoSwitchesZen } from "./two-switches.ts";

/** Every topology; the first is the default. */
export const topologies: readonly Topology[] = [
  switchTopology,
  switchAcs,
  rootPorts,
  rootPortsZen,
  threeProviders,
  twoSwitches,
  twoSwitchesZen,
  cascade,
  acsUpstream,
  siblingFunctions,
  rootBus,
  hostBridges,
  hostBridgesZen,
  iommu,
  iommuZen,
  fast,
  fastPairs,
];

/** @throws LabError (exit code 2) naming the known ones. */
export function findTopology(name = "switch"): Topology {
  const found = topologies.find((candidate) => candidate.name === name);
  if (found) return found;
  const known = topologies.map((candidate) => candidate.name).join(", ");
  throw labUsageError(`No lab topology is called "${name}"`, `choose one of: ${known}`);
}
