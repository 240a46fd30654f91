// SPDX-License-Identifier: MIT
import type { Hop, HostBridgeVerdict, Verdict } from "../pci/rules.ts";
import type { PciFunction } from "../pci/tree.ts";
import type { Machine } from "./machine.ts";

/** One station between provider and client, the host bridges that the kernel leaves out included. */
export type Station =
  | { readonly kind: "function"; readonly hop: Hop; readonly pci: PciFunction | undefined }
  | { readonly kind: "host-bridge"; readonly verdict: HostBridgeVerdict };

/** The way that the kernel looks at, from provider to client. */
export function wayOf({ tree }: Machine, { hops, hostBridges }: Verdict): Station[] {
  const stations = hops.map((hop): Station => ({ kind: "function", hop, pci: tree.functions.get(hop.bdf) }));
  const isMeeting = hops.some(({ role }) => role === "common-bridge");
  if (isMeeting || hops.length < 2) return stations;
  const top = stations.findIndex((station, at) => at > 0 && !isParent(station, stations[at - 1]));
  const between = hostBridges.map((verdict): Station => ({ kind: "host-bridge", verdict }));
  return stations.toSpliced(top, 0, ...between);
}

/** True for the same way, walked in either direction. */
export function isSameWay(a: Verdict, b: Verdict): boolean {
  const [there, back] = [a, b].map(({ hops }) => hops.map(({ bdf }) => bdf));
  return String(there) === String(back) || String(there) === String(back?.toReversed());
}

function isParent(station: Station, below: Station | undefined): boolean {
  const isFunctions = station.kind === "function" && below?.kind === "function";
  return isFunctions && below.pci?.parent === station.hop.bdf;
}
