// SPDX-License-Identifier: MIT
import type { Bdf } from "./bdf.ts";
import { redirects } from "./config-space.ts";
import {
  findWhitelisted,
  isSince,
  type KernelVersion,
  milestones,
  type WhitelistEntry,
} from "./p2pdma-history.ts";
import { type PciFunction, type PciTree, pathUp } from "./tree.ts";

/** How the kernel maps a provider's memory for a client (enum pci_p2pdma_map_type). */
export type MapType = "BUS_ADDR" | "THRU_HOST_BRIDGE" | "NOT_SUPPORTED";

/** What decides besides the PCI tree. */
export interface Platform {
  readonly kernel: KernelVersion;
  /** x86 with an AMD CPU of family 0x17 or newer. */
  readonly isAmdZen: boolean;
}

/** The rule that settled a verdict. */
export type Rule =
  | "same-function"
  | "common-bridge"
  | "acs-redirect"
  | "amd-zen"
  | "whitelisted-host-bridge"
  | "host-bridge-not-listed"
  | "different-host-bridges"
  | "no-host-bridge-device"
  | "iommu-present"
  | "no-p2pdma"
  | "not-in-tree";

/** What kernels 5.2 and 5.3 added to the distance of a pair that meets in the root complex. */
const ROOT_COMPLEX_DISTANCE = 0x1000;

/** One station on the way from provider to client. */
export interface Hop {
  readonly bdf: Bdf;
  readonly role: "provider" | "bridge" | "common-bridge" | "client";
  /** Undefined: config space could not be read far enough. */
  readonly redirects: boolean | undefined;
}

export interface HostBridgeVerdict {
  readonly name: string;
  readonly firstDevice: Bdf | undefined;
  /** `8086:2030`, what the kernel looks up; undefined where its first device is none that it would ask. */
  readonly ids: string | undefined;
  readonly entry: WhitelistEntry | undefined;
  /** False: the kernel asks the first device only if it is a root port, and that could not be read. */
  readonly isCertain: boolean;
}

/** The kernel's verdict on one pair, predicted. */
export interface Verdict {
  readonly provider: Bdf;
  readonly client: Bdf;
  /** Undefined when it hangs on ACS bits that could not be read: see `possible`. */
  readonly mapType: MapType | undefined;
  /** One value when certain. */
  readonly possible: readonly MapType[];
  /** Hops from provider to client through the nearest common bridge; undefined where the kernel gives none. */
  readonly distance: number | undefined;
  readonly rule: Rule;
  readonly hops: readonly Hop[];
  readonly hostBridges: readonly HostBridgeVerdict[];
}

interface Paths {
  readonly hops: readonly Hop[];
  readonly distance: number;
  readonly hasCommonBridge: boolean;
}

/** What pci/p2pdma.c answers for this pair (calc_map_type_and_dist and its forerunners). */
export function predict(tree: PciTree, platform: Platform, provider: Bdf, client: Bdf): Verdict {
  const base = { provider, client, hostBridges: hostBridgesOf(tree, platform, provider, client) };
  if (!tree.functions.has(provider) || !tree.functions.has(client)) {
    return { ...base, ...settled("NOT_SUPPORTED", "not-in-tree"), distance: undefined, hops: [] };
  }
  const paths = walk(pathUp(tree, provider), pathUp(tree, client));
  const { hops, distance } = paths;
  if (!isSince(platform.kernel, milestones.introduced)) {
    return { ...base, ...settled("NOT_SUPPORTED", "no-p2pdma"), distance: undefined, hops };
  }
  const direct = settled("BUS_ADDR", provider === client ? "same-function" : "common-bridge");
  const around = throughHostBridge(tree, platform, base, paths);
  if (!paths.hasCommonBridge) {
    const far =
      around.possible.includes("THRU_HOST_BRIDGE") && !isSince(platform.kernel, milestones.throughHostBridge);
    return { ...base, ...around, distance: far ? distance + ROOT_COMPLEX_DISTANCE : distance, hops };
  }
  const redirected = { ...around, rule: aroundRule(around) };
  if (hops.some((hop) => hop.redirects === true)) return { ...base, ...redirected, distance, hops };
  if (hops.every((hop) => hop.redirects === false)) return { ...base, ...direct, distance, hops };
  return { ...base, ...either(direct, redirected), distance, hops };
}

type Settled = Pick<Verdict, "mapType" | "possible" | "rule">;

function settled(mapType: MapType, rule: Rule): Settled {
  return { mapType, possible: [mapType], rule };
}

/** The bits that decide are hidden, and the two ways never end alike. */
function either(direct: Settled, redirected: Settled): Settled {
  return { mapType: undefined, possible: [...direct.possible, ...redirected.possible], rule: "acs-redirect" };
}

/** A refusal below a common bridge is the redirection's doing. */
function aroundRule(around: Settled): Rule {
  return around.mapType === "NOT_SUPPORTED" ? "acs-redirect" : around.rule;
}

/**
 * Walks up from the provider until a bridge is also above the client. ACS is
 * looked at on every function of the way, the common bridge included.
 */
function walk(up: readonly PciFunction[], down: readonly PciFunction[]): Paths {
  const depths = new Map(down.map(({ bdf }, depth) => [bdf, depth]));
  const common = up.findIndex(({ bdf }) => depths.has(bdf));
  const meeting = up[common];
  const ascent = meeting ? up.slice(0, common + 1) : up;
  const at = (meeting && depths.get(meeting.bdf)) ?? down.length;
  const descent = down.slice(0, at).reverse();
  const [provider, client] = [up[0]?.bdf, down[0]?.bdf];
  const roleOf = (bdf: Bdf): Hop["role"] => {
    if (bdf === provider) return "provider";
    if (bdf === client) return "client";
    return bdf === meeting?.bdf ? "common-bridge" : "bridge";
  };
  const hops = [...ascent, ...descent].map(({ bdf, acs }) => ({
    bdf,
    role: roleOf(bdf),
    redirects: redirects(acs),
  }));
  return { hops, distance: (meeting ? common : up.length) + at, hasCommonBridge: meeting !== undefined };
}

interface Pair {
  readonly provider: Bdf;
  readonly client: Bdf;
  readonly hostBridges: readonly HostBridgeVerdict[];
}

function throughHostBridge(tree: PciTree, platform: Platform, pair: Pair, paths: Paths): Settled {
  const { kernel } = platform;
  if (paths.hasCommonBridge && !isSince(kernel, milestones.throughHostBridge))
    return settled("NOT_SUPPORTED", "acs-redirect");
  if (!isSince(kernel, milestones.rootComplexes)) return settled("NOT_SUPPORTED", "host-bridge-not-listed");
  if (platform.isAmdZen && isSince(kernel, milestones.amdZen)) return settled("THRU_HOST_BRIDGE", "amd-zen");
  if (!isSince(kernel, milestones.throughHostBridge) && hasIommu(tree, pair))
    return settled("NOT_SUPPORTED", "iommu-present");
  return askWhitelist(pair.hostBridges);
}

function askWhitelist(bridges: readonly HostBridgeVerdict[]): Settled {
  if (bridges.some(({ ids }) => ids === undefined)) return settled("NOT_SUPPORTED", "no-host-bridge-device");
  if (bridges.some(({ entry }) => entry === undefined))
    return settled("NOT_SUPPORTED", "host-bridge-not-listed");
  const mustShare = bridges.some(({ entry }) => entry?.sameHostBridgeOnly);
  if (mustShare && bridges.length > 1) return settled("NOT_SUPPORTED", "different-host-bridges");
  if (bridges.every(({ isCertain }) => isCertain))
    return settled("THRU_HOST_BRIDGE", "whitelisted-host-bridge");
  return {
    ...{ mapType: undefined, rule: "no-host-bridge-device" },
    possible: ["THRU_HOST_BRIDGE", "NOT_SUPPORTED"],
  };
}

/** iommu_present() of the PCI bus, as far as the two functions show it. */
function hasIommu(tree: PciTree, { provider, client }: Pair): boolean {
  return [provider, client].some((bdf) => tree.functions.get(bdf)?.iommuGroup !== undefined);
}

/** One when both share it, else two. */
function hostBridgesOf(tree: PciTree, { kernel }: Platform, provider: Bdf, client: Bdf): HostBridgeVerdict[] {
  const names = new Set([provider, client].map((bdf) => tree.functions.get(bdf)?.hostBridge));
  return [...names].filter((name) => name !== undefined).map((name) => judgeHostBridge(tree, kernel, name));
}

/** The host bridge is judged by the first device on its root bus, if that is 00.0 or, since 5.19, a root port. */
export function judgeHostBridge(tree: PciTree, kernel: KernelVersion, name: string): HostBridgeVerdict {
  const firstDevice = tree.hostBridges.get(name)?.firstDevice;
  const first = firstDevice && tree.functions.get(firstDevice);
  const isAsked = first && isAskedFor(kernel, first);
  if (!first || isAsked === false) {
    return { name, firstDevice, ids: undefined, entry: undefined, isCertain: true };
  }
  const ids = [first.vendorId, first.deviceId].map((id) => id.toString(16).padStart(4, "0")).join(":");
  const entry = findWhitelisted(kernel, first.vendorId, first.deviceId);
  return { name, firstDevice, ids, entry, isCertain: isAsked === true };
}

/** Undefined for a bridge whose kind of port could not be read. */
function isAskedFor(kernel: KernelVersion, first: PciFunction): boolean | undefined {
  if (first.bdf.endsWith(":00.0")) return true;
  if (!isSince(kernel, milestones.anyRootPort) || !first.isBridge) return false;
  return first.portType === undefined ? undefined : first.portType === "root-port";
}

/**
 * Sum of the distances from a provider to several clients, as pci_p2pdma_distance_many().
 * @returns undefined when there are no clients, or one is refused (both the kernel's -1), or can't be predicted.
 */
export function distanceToAll(
  tree: PciTree,
  platform: Platform,
  provider: Bdf,
  clients: readonly Bdf[],
): number | undefined {
  if (clients.length === 0) return undefined;
  let total = 0;
  for (const client of clients) {
    const { mapType, distance } = predict(tree, platform, provider, client);
    if (mapType === undefined || mapType === "NOT_SUPPORTED" || distance === undefined) return undefined;
    total += distance;
  }
  return total;
}

/**
 * The nearest of several providers, as pci_p2pmem_find_many().
 * @returns all that tie: the kernel then takes one at random.
 */
export function nearestProviders(
  tree: PciTree,
  platform: Platform,
  providers: readonly Bdf[],
  clients: readonly Bdf[],
): Bdf[] {
  const rated = providers.flatMap((provider) => {
    const distance = distanceToAll(tree, platform, provider, clients);
    return distance === undefined ? [] : [{ provider, distance }];
  });
  const least = Math.min(...rated.map(({ distance }) => distance));
  return rated.filter(({ distance }) => distance === least).map(({ provider }) => provider);
}
