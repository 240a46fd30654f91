// SPDX-License-Identifier: MIT
import type { Bdf } from "../pci/bdf.ts";
import type { Verdict } from "../pci/rules.ts";
import {
  commonBridge,
  findRemedies,
  type Machine,
  type PairRoute,
  predictReach,
  redirectingPorts,
} from "../topo/index.ts";
import type { Facts } from "./facts.ts";
import { type Fix, listWords } from "./finding.ts";

/** The verdicts that a question hangs on: each of a provider and another function. */
export interface PathView {
  readonly verdicts: readonly Verdict[];
  /** One verdict that works is enough; of a pair of ends both are needed. */
  readonly isAnyEnough: boolean;
}

/** Of a pair the way a copy would take, of a machine all of them. */
export function viewPaths(facts: Omit<Facts, "probes">): PathView {
  const { machine, ends } = facts;
  if (!ends) {
    const peers = predictReach(machine).verdicts.flat();
    return { verdicts: peers.filter(isPeer), isAnyEnough: true };
  }
  if (!ends.pair) return { verdicts: [], isAnyEnough: false };
  const best = bestRoute(facts);
  const verdicts = best ? [best.source, best.destination] : [ends.pair.between];
  return { verdicts: verdicts.filter(isPeer), isAnyEnough: false };
}

/** The route that a copy would take: one that works with memory to be had, else one that works, else the first. */
export function bestRoute(facts: Omit<Facts, "probes">): PairRoute | undefined {
  const routes = facts.ends?.pair?.routes ?? [];
  const working = routes.filter(({ works }) => works === true);
  return working.find(({ provider }) => hasMemory(facts, provider.bdf)) ?? working[0] ?? routes[0];
}

const PAGE_BYTES = 4096n;

/** There is a page to be had, and the drive takes data in it. */
function hasMemory({ drives }: Pick<Facts, "drives">, bdf: Bdf): boolean {
  const memory = drives.pools.find(({ provider }) => provider.bdf === bdf)?.provider;
  const supports = drives.cmbs.find((report) => report.bdf === bdf)?.cmb.supports;
  const takesData = supports === undefined || (supports.readData && supports.writeData);
  return takesData && memory !== undefined && memory.availableBytes >= PAGE_BYTES;
}

/** True when somebody else lends memory that would serve just as well. */
export function hasOtherMemory(facts: Facts, bdf: Bdf): boolean {
  const isReached = (other: Bdf) =>
    !facts.ends?.pair ||
    facts.ends.pair.routes.some(({ provider, works }) => provider.bdf === other && works !== false);
  return facts.drives.pools.some(
    ({ provider }) => provider.bdf !== bdf && hasMemory(facts, provider.bdf) && isReached(provider.bdf),
  );
}

/** True when some of these leave a way to do peer-to-peer. */
export function isSpared({ verdicts, isAnyEnough }: PathView, bad: readonly Verdict[]): boolean {
  return isAnyEnough && verdicts.some((verdict) => !bad.includes(verdict) && isGranted(verdict));
}

export function isGranted({ mapType }: Verdict): boolean {
  return mapType === "BUS_ADDR" || mapType === "THRU_HOST_BRIDGE";
}

/** Peers that redirection sends on a detour, although the kernel lets them. */
export function isDetour(verdict: Verdict): boolean {
  const isRedirected = commonBridge(verdict) !== undefined && redirectingPorts(verdict).length > 0;
  return isRedirected && verdict.mapType === "THRU_HOST_BRIDGE";
}

export function nameOf({ devices }: Machine, bdf: Bdf): string {
  return devices.find((device) => device.bdf === bdf)?.name ?? bdf;
}

/** `nvme0 with nvme1`, each pair once. */
export function pairWords(machine: Machine, verdicts: readonly Verdict[]): string {
  const pairs = verdicts.map(({ provider, client }) =>
    [nameOf(machine, provider), nameOf(machine, client)].sort().join(" with "),
  );
  return listWords([...new Set(pairs)], 3);
}

/** What would mend all of these at once. */
export function mend(machine: Machine, verdicts: readonly Verdict[]): Fix[] {
  return findRemedies(machine, join(verdicts)).map((remedy) =>
    remedy.kind === "acs-now" ? { ...remedy, commands: typedCommands(machine, verdicts) } : remedy,
  );
}

/** Each port once, and each provider's driver bound anew. */
function typedCommands(machine: Machine, verdicts: readonly Verdict[]): string[] {
  const providers = [...new Set(verdicts.map(({ provider }) => provider))];
  const commands = providers.flatMap((wanted) => {
    const joined = join(verdicts.filter(({ provider }) => provider === wanted));
    const [remedy] = findRemedies(machine, joined).filter(({ kind }) => kind === "acs-now");
    return remedy?.commands ?? [];
  });
  const isTyped = (command: string) => command.startsWith("setpci");
  const unique = [...new Set(commands)];
  return [...unique.filter(isTyped), ...unique.filter((command) => !isTyped(command))];
}

/** One verdict with the ports of all: what has to be changed in all of them together. */
function join([first, ...others]: readonly Verdict[]): Verdict {
  if (!first) throw new RangeError("no verdict to mend");
  const hops = new Map([...others, first].flatMap((verdict) => verdict.hops.map((hop) => [hop.bdf, hop])));
  return { ...first, hops: [...hops.values()] };
}

function isPeer({ provider, client }: Verdict): boolean {
  return provider !== client;
}
