// SPDX-License-Identifier: MIT
import type { MapType, Verdict } from "../core/pci/rules.ts";
import {
  acsWords,
  cellText,
  type Device,
  explainVerdict,
  findRemedies,
  functionWords,
  hostBridgeStanding,
  isSameWay,
  kernelName,
  type Machine,
  type Pair,
  type PairRoute,
  type Remedy,
  type Station,
  wayOf,
} from "../core/topo/index.ts";
import { plainTable } from "./table.ts";

/** Other providers named in a line each. */
const MOST_NAMED = 5;

const ROLE_WORDS = {
  source: "the source's",
  destination: "the destination's",
  "third-party": "a third party's",
};

const MAP_WORDS: Readonly<Record<MapType, string>> = {
  BUS_ADDR: "direct (BUS_ADDR)",
  THRU_HOST_BRIDGE: "through the host bridge (THRU_HOST_BRIDGE)",
  NOT_SUPPORTED: "refused (NOT_SUPPORTED)",
};

/** The answer first, then each provider's way hop by hop, then what would change it. */
export function renderPair(machine: Machine, pair: Pair, all = false): string {
  const { source, destination } = pair;
  const title = `${describe(source)} to ${describe(destination)}, Linux ${kernelName(machine.host.platform.kernel)}: ${answer(pair)}`;
  const inFull = all ? pair.routes : worthTelling(pair);
  const told: Verdict[] = [];
  const parts = [
    title,
    ...inFull.map((route) => renderRoute(machine, pair, route, told)),
    ...renderOthers(pair.routes.filter((route) => !inFull.includes(route))),
    ...(pair.routes.length === 0 ? [renderHypothetical(machine, pair)] : []),
    ...renderRemedies(machine, pair),
  ];
  return `${parts.map((part) => part.trimEnd()).join("\n\n")}\n`;
}

/** The two ends' own memory, and the best of the others where that is no use. */
function worthTelling({ routes }: Pair): PairRoute[] {
  const own = routes.filter(({ role }) => role !== "third-party");
  const third = own.some(({ works }) => works)
    ? undefined
    : routes.find(({ role }) => role === "third-party");
  return routes.filter((route) => own.includes(route) || route === third);
}

function renderOthers(routes: readonly PairRoute[]): string[] {
  if (routes.length === 0) return [];
  const lines = routes.slice(0, MOST_NAMED).map((route) => {
    const ends = `${cellText(route.source)} from the source, ${cellText(route.destination)} from the destination`;
    return `${verb(route)}  through ${describe(route.provider)}: ${ends}`;
  });
  const rest = routes.length - lines.length;
  return [[...lines, ...(rest > 0 ? [`and ${rest} more: --all`] : [])].join("\n")];
}

function verb({ works }: PairRoute): string {
  return works === undefined ? "UNKNOWN" : works ? "YES" : "NO";
}

function answer({ works, routes }: Pair): string {
  const [best] = routes;
  if (!best) return "no, as no device lends memory";
  if (works === undefined) return "can't be told without root";
  return works ? `yes, best through ${best.provider.name}'s memory` : "no, the kernel would refuse";
}

function renderRoute(machine: Machine, pair: Pair, route: PairRoute, told: Verdict[]): string {
  const { provider, role } = route;
  const head = `${verb(route)}  through ${ROLE_WORDS[role]} memory: ${describe(provider)}`;
  const ends: [Device, Verdict][] = [
    [pair.source, route.source],
    [pair.destination, route.destination],
  ];
  const others = ends.filter(([client]) => client.bdf !== provider.bdf);
  // Both ends may be one controller: then it reaches its own memory, and that is all.
  const shown = others.length > 0 ? others : ends.slice(0, 1);
  return [head, ...shown.map(([client, verdict]) => renderVerdict(machine, client, verdict, told))].join(
    "\n",
  );
}

function renderHypothetical(machine: Machine, pair: Pair): string {
  const verdict = renderVerdict(machine, pair.source, pair.between, []);
  return `If ${describe(pair.destination)} lent memory:\n${verdict}`;
}

/** Each way is printed once, as the kernel's verdict is the same in both directions. */
function renderVerdict(machine: Machine, client: Device, verdict: Verdict, told: Verdict[]): string {
  const result = verdict.mapType === undefined ? "unknown" : MAP_WORDS[verdict.mapType];
  const head = `  ${client.name} does the DMA: ${result}${distanceWords(verdict)}`;
  if (told.some((other) => isSameWay(other, verdict))) return `${head}, by the same way`;
  told.push(verdict);
  const why = `  because ${explainVerdict(machine, verdict)}`;
  return verdict.hops.length < 2 ? `${head}\n${why}` : `${head}\n${renderWay(machine, verdict)}${why}`;
}

/** The kernel gives a pair that it refuses no distance (-1). */
function distanceWords({ distance, mapType }: Verdict): string {
  if (distance === undefined) return "";
  return mapType === "NOT_SUPPORTED" ? `, ${distance} hops apart` : `, distance ${distance}`;
}

function renderWay(machine: Machine, verdict: Verdict): string {
  const rows = wayOf(machine, verdict).map((station) => {
    if (station.kind === "host-bridge") {
      const { name, ids } = station.verdict;
      return [name, `host bridge ${ids ?? ""}`.trimEnd(), hostBridgeStanding(machine, station.verdict)];
    }
    return [station.hop.bdf, hopWords(machine, station), station.pci ? acsWords(station.pci.acs) : ""];
  });
  return plainTable([], rows).replaceAll(/^(?=.)/gm, "    ");
}

function hopWords({ devices }: Machine, { hop, pci }: Extract<Station, { kind: "function" }>): string {
  const name = devices.find((device) => device.bdf === hop.bdf)?.name;
  if (hop.role === "provider" || hop.role === "client") return [name, hop.role].filter(Boolean).join(", ");
  const words = pci ? functionWords(pci) : "bridge";
  return hop.role === "common-bridge" ? `${words}: above both` : words;
}

function renderRemedies(machine: Machine, pair: Pair): string[] {
  const remedies = findRemedies(machine, verdictToMend(pair));
  if (remedies.length === 0) return [];
  const warnings = new Set(remedies.map(({ warning }) => warning).filter((text) => text !== undefined));
  const careful = [...warnings].map((warning) => `  careful: ${warning}`);
  return [["What would change it", ...remedies.map(renderRemedy), ...careful].join("\n")];
}

/** That of an end's own memory, else the hypothetical one: the way is the same, and third parties only add to it. */
function verdictToMend({ routes, between }: Pair): Verdict {
  const own = routes.find(({ role }) => role !== "third-party");
  if (!own) return between;
  return own.role === "source" ? own.destination : own.source;
}

function renderRemedy({ text, commands }: Remedy): string {
  return [`  - ${text}`, ...commands.map((command) => `      ${command}`)].join("\n");
}

function describe({ name, bdf }: Device): string {
  return name === bdf ? bdf : `${name} (${bdf})`;
}
