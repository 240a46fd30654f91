// SPDX-License-Identifier: MIT
import type { Bdf } from "../pci/bdf.ts";
import type { Verdict } from "../pci/rules.ts";
import { type PciTree, pathUp } from "../pci/tree.ts";

/**
 * The upstream ports of switches that the data of a copy cross. A transfer between two devices below one switch
 * turns round inside it and loads no uplink; whatever goes to RAM or through the host bridge loads all above it.
 * @param legs the verdicts of both ends on the provider; empty for a copy through RAM
 */
export function crossedUplinks(tree: PciTree, clients: readonly Bdf[], legs: readonly Verdict[]): Bdf[] {
  const isDirect = legs.length > 0 && legs.every(({ mapType }) => mapType === "BUS_ADDR");
  const crossed = isDirect
    ? legs.flatMap(({ hops }) => hops.filter(({ role }) => role === "bridge").map(({ bdf }) => bdf))
    : clientsAndProviders(clients, legs).flatMap((bdf) => pathUp(tree, bdf).map((pci) => pci.bdf));
  const uplinks = crossed.filter((bdf) => tree.functions.get(bdf)?.portType === "upstream-port");
  return [...new Set(uplinks)].sort();
}

function clientsAndProviders(clients: readonly Bdf[], legs: readonly Verdict[]): Bdf[] {
  return [...clients, ...legs.map(({ provider }) => provider)];
}
