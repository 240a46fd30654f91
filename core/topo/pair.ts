// SPDX-License-Identifier: MIT
import type { Bdf } from "../pci/bdf.ts";
import { type MapType, predict, type Verdict } from "../pci/rules.ts";
import { type Device, type Machine, providersOf } from "./machine.ts";

/** Whose memory a copy would go through. */
export type ProviderRole = "source" | "destination" | "third-party";

/** One way to copy from source to destination. */
export interface PairRoute {
  readonly provider: Device;
  readonly role: ProviderRole;
  /** The verdict on each end as a client of that memory. */
  readonly source: Verdict;
  readonly destination: Verdict;
  readonly sharesNumaNode: boolean;
  /** Undefined when it hangs on ACS bits that could not be read. */
  readonly works: boolean | undefined;
}

export interface Pair {
  readonly source: Device;
  readonly destination: Device;
  /** Best first; without any provider there is none. */
  readonly routes: readonly PairRoute[];
  /** The two ends themselves, as if the destination lent memory. */
  readonly between: Verdict;
  readonly works: boolean | undefined;
}

/** Judges every provider of the machine for a copy from one function to another. */
export function judgePair(machine: Machine, source: Device, destination: Device): Pair {
  const verdict = (provider: Bdf, client: Bdf) =>
    predict(machine.tree, machine.host.platform, provider, client);
  const routes = providersOf(machine).map((provider): PairRoute => {
    const ends = {
      source: verdict(provider.bdf, source.bdf),
      destination: verdict(provider.bdf, destination.bdf),
    };
    return {
      ...{ provider, role: roleOf(provider, source, destination), ...ends, works: bothWork(ends) },
      sharesNumaNode: [source, destination].every(({ pci }) => pci.numaNode === provider.pci.numaNode),
    };
  });
  return {
    source,
    destination,
    routes: routes.sort(compareRoutes),
    between: verdict(destination.bdf, source.bdf),
    works: anyWorks(routes),
  };
}

/** Hops of both transfers together; undefined where the kernel gives none. */
export function routeDistance({ source, destination }: PairRoute): number | undefined {
  if (source.distance === undefined || destination.distance === undefined) return undefined;
  return source.distance + destination.distance;
}

function roleOf({ bdf }: Device, source: Device, destination: Device): ProviderRole {
  if (bdf === destination.bdf) return "destination";
  return bdf === source.bdf ? "source" : "third-party";
}

function bothWork({ source, destination }: Pick<PairRoute, "source" | "destination">): boolean | undefined {
  const types = [source.mapType, destination.mapType];
  if (types.includes("NOT_SUPPORTED")) return false;
  return types.includes(undefined) ? undefined : true;
}

function anyWorks(routes: readonly PairRoute[]): boolean | undefined {
  if (routes.some(({ works }) => works === true)) return true;
  return routes.some(({ works }) => works === undefined) ? undefined : false;
}

const MAP_RANK: Readonly<Record<MapType, number>> = { BUS_ADDR: 0, THRU_HOST_BRIDGE: 2, NOT_SUPPORTED: 3 };
const UNKNOWN_RANK = 1;
const ROLE_RANK: Readonly<Record<ProviderRole, number>> = { destination: 0, source: 1, "third-party": 2 };

/** The order in which a copy tries them: see core/copy/candidates.ts. */
function compareRoutes(a: PairRoute, b: PairRoute): number {
  const [left, right] = [rankOf(a), rankOf(b)];
  const at = left.findIndex((value, index) => value !== right[index]);
  return at < 0 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}

function rankOf(route: PairRoute): number[] {
  const ends = [route.source, route.destination];
  const ranks = ends.map(({ mapType }) => (mapType ? MAP_RANK[mapType] : UNKNOWN_RANK));
  const distance = ends.reduce((sum, verdict) => sum + (verdict.distance ?? 0), 0);
  const free = Number(route.provider.provider?.availableBytes ?? 0n);
  return [Math.max(...ranks), ROLE_RANK[route.role], distance, route.sharesNumaNode ? 0 : 1, -free];
}
