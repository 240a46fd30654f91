// SPDX-License-Identifier: MIT
import {
  CELL_LEGEND,
  cellText,
  type Device,
  judgePair,
  kindOf,
  type Machine,
  type Reach,
  type ReachKind,
} from "../core/topo/index.ts";
import { plainTable } from "./table.ts";

/** Wider tables of best providers than this help nobody. */
const MOST_FOR_BEST = 10;

/** A line per client, a column per provider, and what the codes mean. Wider ones than `columns` go on below. */
export function renderMatrix(reach: Reach, columns = Number.POSITIVE_INFINITY): string {
  const { providers, clients, verdicts, isHypothetical } = reach;
  if (providers.length === 0 || clients.length === 0) return "";
  const title = isHypothetical
    ? "No device lends memory. If the clients did, map types and distances would be:"
    : "Who reaches whose memory (columns lend it, lines do the DMA): map type and distance";
  const atOnce = columnsThatFit(reach, columns);
  const starts = [...providers.keys()].filter((at) => at % atOnce === 0);
  const tables = starts.map((start) => indent(renderColumns(reach, start, start + atOnce)));
  return `${title}\n\n${tables.join("\n")}\n${indent(legend(verdicts.flat().map(kindOf)))}`;
}

function renderColumns(
  { providers, clients, verdicts, isHypothetical }: Reach,
  from: number,
  to: number,
): string {
  const rows = clients.map((client, at) => [
    client.name,
    ...verdicts.slice(from, to).map((column) => (column[at] ? cellText(column[at]) : "")),
  ]);
  const names = providers.slice(from, to).map(({ name }) => name);
  return plainTable([isHypothetical ? "CLIENT" : CORNER, ...names], rows);
}

const CORNER = "CLIENT \\ PROVIDER";
const GAP = 2;

function columnsThatFit({ providers, clients }: Reach, columns: number): number {
  const first = Math.max(CORNER.length, ...clients.map(({ name }) => name.length)) + GAP;
  const each = Math.max("BUS 10".length, ...providers.map(({ name }) => name.length)) + GAP;
  return Math.max(1, Math.min(providers.length, Math.floor((columns - first) / each)));
}

/** Whose memory to take for each copy; nothing where there is no choice or too much to print. */
export function renderBest(machine: Machine, { clients, isHypothetical }: Reach): string {
  if (isHypothetical || clients.length < 2 || clients.length > MOST_FOR_BEST) return "";
  const rows = clients.map((source) => [
    source.name,
    ...clients.map((destination) => bestFor(machine, source, destination)),
  ]);
  const table = plainTable(["FROM \\ TO", ...clients.map(({ name }) => name)], rows);
  return `Best memory for a copy\n\n${indent(table)}`;
}

function bestFor(machine: Machine, source: Device, destination: Device): string {
  const { routes, works } = judgePair(machine, source, destination);
  if (works === false) return "none";
  const best = routes.find((route) => route.works === true) ?? routes[0];
  return best ? `${best.provider.name}${best.works ? "" : "?"}` : "none";
}

function legend(kinds: readonly ReachKind[]): string {
  const lines = Object.entries(CELL_LEGEND).filter(([kind]) => kinds.includes(kind as ReachKind));
  return lines.map(([, [code, meaning]]) => `${code.padEnd(6)} ${meaning}\n`).join("");
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, "  ");
}
