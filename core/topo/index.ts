// SPDX-License-Identifier: MIT
export { type Branch, type Forest, growForest, leavesOf, type RootBus } from "./branches.ts";
export { commonBridge, explainVerdict, hostBridgeStanding, redirectingPorts } from "./explain.ts";
export { findDevice } from "./find-device.ts";
export {
  clientsOf,
  type Device,
  driveBytes,
  type Machine,
  type MachineOptions,
  providersOf,
  readMachine,
} from "./machine.ts";
export { judgePair, type Pair, type PairRoute, type ProviderRole, routeDistance } from "./pair.ts";
export { type Host, kernelName, parseKernelOption } from "./platform.ts";
export { CELL_LEGEND, cellText, kindOf, predictReach, type Reach, type ReachKind } from "./reach.ts";
export { findRemedies, type Remedy } from "./remedies.ts";
export { isSameWay, type Station, wayOf } from "./way.ts";
export { acsShort, acsWords, functionWords, idsOf, type LinkState, linkAbove } from "./words.ts";
