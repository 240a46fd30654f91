// SPDX-License-Identifier: MIT
import { predict, type Verdict } from "../pci/rules.ts";
import { clientsOf, type Device, type Machine, providersOf } from "./machine.ts";

/** Who can do DMA into whose memory. */
export interface Reach {
  readonly providers: readonly Device[];
  readonly clients: readonly Device[];
  /** No device lends memory: the drives stand in, to show what the slots are good for. */
  readonly isHypothetical: boolean;
  /** By provider, then client, in the order above. */
  readonly verdicts: readonly (readonly Verdict[])[];
}

/** Predicts every pair of provider and client. */
export function predictReach(machine: Machine): Reach {
  const { tree, host } = machine;
  const clients = clientsOf(machine);
  const lenders = providersOf(machine);
  const providers = lenders.length > 0 ? lenders : clients;
  const verdicts = providers.map((provider) =>
    clients.map((client) => predict(tree, host.platform, provider.bdf, client.bdf)),
  );
  return { providers, clients, isHypothetical: lenders.length === 0, verdicts };
}

/** How a pair is shown wherever there is little room. */
export type ReachKind = "self" | "direct" | "host-bridge" | "refused" | "unknown";

export function kindOf({ mapType, rule }: Verdict): ReachKind {
  if (mapType === undefined) return "unknown";
  if (mapType === "NOT_SUPPORTED") return "refused";
  if (mapType === "THRU_HOST_BRIDGE") return "host-bridge";
  return rule === "same-function" ? "self" : "direct";
}

/** `self`, `BUS 4`, `HB 6`, `no`, `?` */
export function cellText(verdict: Verdict): string {
  const kind = kindOf(verdict);
  if (kind === "self" || kind === "unknown") return kind === "self" ? "self" : "?";
  if (kind === "refused") return "no";
  return `${kind === "direct" ? "BUS" : "HB"} ${verdict.distance}`;
}

export const CELL_LEGEND: Readonly<Record<ReachKind, readonly [string, string]>> = {
  self: ["self", "the device's own memory, nothing crosses PCI Express"],
  direct: ["BUS n", "straight through the bridge that both are below, n hops"],
  "host-bridge": ["HB n", "through the host bridge, n hops"],
  refused: ["no", "the kernel refuses this pair"],
  unknown: ["?", "depends on ACS bits that only root can read"],
};
