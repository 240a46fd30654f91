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

/** A line per client, a column per provider, and what the codes mean. */
export function renderMatrix({ providers, clients, verdicts, isHypothetical }: Reach): string {
  if (providers.length === 0 || clients.length === 0) return "";
  const rows = clients.map((client, at) => [
    client.name,
    ...verdicts.map((column) => {
      const verdict = column[at];
      return verdict ? cellText(verdict) : "";
    }),
  ]);
  const title = isHypothetical
    ? "No device lends memory. If the drives had a CMB, their map types and distances would be:"
    : "Who reaches whose memory (columns lend it, lines do the DMA): map type and distance";
  const corner = isHypothetical ? "CLIENT" : "CLIENT \\ PROVIDER";
  const table = plainTable([corner, ...providers.map(({ name }) => name)], rows);
  return `${title}\n\n${indent(table)}\n${indent(legend(verdicts.flat().map(kindOf)))}`;
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
