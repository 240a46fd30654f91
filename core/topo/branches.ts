// SPDX-License-Identifier: MIT
import type { Bdf } from "../pci/bdf.ts";
import { type HostBridgeVerdict, judgeHostBridge } from "../pci/rules.ts";
import { type PciFunction, pathUp } from "../pci/tree.ts";
import type { Device, Machine } from "./machine.ts";

/** A function with what hangs below it, as far as it is worth showing. */
export interface Branch {
  readonly pci: PciFunction;
  readonly device: Device | undefined;
  readonly children: readonly Branch[];
}

export interface RootBus {
  readonly verdict: HostBridgeVerdict;
  /** Where all functions agree on one. */
  readonly numaNode: number | undefined;
  readonly branches: readonly Branch[];
}

export interface Forest {
  readonly rootBuses: readonly RootBus[];
  /** Functions left out, as they are on the way to no device. */
  readonly hiddenCount: number;
}

/** The PCI tree, folded to the devices and the bridges above them, or whole. */
export function growForest(machine: Machine, all = false): Forest {
  const { tree, devices, host } = machine;
  const shown = new Set(devices.flatMap(({ bdf }) => pathUp(tree, bdf).map((pci) => pci.bdf)));
  const functions = [...tree.functions.values()].filter(({ bdf }) => all || shown.has(bdf));
  const byAddress = functions.sort((a, b) => (a.bdf < b.bdf ? -1 : 1));
  const known = new Map(devices.map((device) => [device.bdf, device]));
  const below = (parent: Bdf | undefined, hostBridge: string): Branch[] =>
    byAddress
      .filter((pci) => pci.parent === parent && pci.hostBridge === hostBridge)
      .map((pci) => ({ pci, device: known.get(pci.bdf), children: below(pci.bdf, hostBridge) }));
  const names = [...new Set(byAddress.map(({ hostBridge }) => hostBridge))].sort(byBusNumber);
  const rootBuses = names.map((name) => ({
    verdict: judgeHostBridge(tree, host.platform.kernel, name),
    numaNode: commonNode(byAddress.filter(({ hostBridge }) => hostBridge === name)),
    branches: below(undefined, name),
  }));
  return { rootBuses, hiddenCount: tree.functions.size - functions.length };
}

/** Depth first, in the order shown. */
export function leavesOf(branch: Branch): Branch[] {
  return branch.children.length === 0 ? [branch] : branch.children.flatMap(leavesOf);
}

function commonNode(functions: readonly PciFunction[]): number | undefined {
  const nodes = new Set(functions.map(({ numaNode }) => numaNode));
  return nodes.size === 1 ? [...nodes][0] : undefined;
}

/** `pci10000:00`, the domain of a VMD, comes after all of `pci0000`. */
function byBusNumber(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : 1);
}
