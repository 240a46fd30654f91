// SPDX-License-Identifier: MIT
import type { ExplainedEnd, Explanation } from "../core/copy/explain.ts";
import { formatBytes } from "../core/units.ts";
import { plainTable } from "./table.ts";

const SIDES = { destination: "destination's own", source: "source's own", third: "third device" } as const;

/** The candidate table of a copy, and the reason for each way that is not direct. */
export function renderExplanation(explanation: Explanation): string {
  const { source, destination, problem, candidates } = explanation;
  const head = `${source} -> ${destination}, by the kernel's rules, best first:\n\n`;
  if (problem) return `${head}only through RAM: ${problem}\n`;
  if (candidates.length === 0)
    return `${head}only through RAM: no PCI device of this machine offers p2pmem\n`;
  const rows = candidates.map((candidate, index) => [
    ...[String(index + 1), `${candidate.provider} (${candidate.name})`, SIDES[candidate.side]],
    formatBytes(BigInt(candidate.availableBytes)),
    ...[
      endText(candidate.source),
      endText(candidate.destination),
      candidate.sharesNumaNode ? "same" : "other",
    ],
  ]);
  const ram = [String(rows.length + 1), "RAM", "-", "-", "-", "-", "-"];
  const table = plainTable(["", "MEMORY", "WHOSE", "FREE", "SOURCE", "DESTINATION", "NUMA"], [...rows, ram]);
  const within = explanation.canCopyWithinDrive
    ? "The drive could also copy within itself, and no data would leave it: --via nvme-copy\n"
    : "";
  return `${head}${table}${notes(explanation)}\n${within}The copy asks the kernel itself, with one small read by each end, before it takes one.\n`;
}

function endText(end: ExplainedEnd | null): string {
  if (!end) return "no PCI device";
  if (end.mapType === null) return "can't tell";
  return end.mapType === "NOT_SUPPORTED" ? "refused" : `${end.mapType}, distance ${end.distance}`;
}

function notes({ candidates }: Explanation): string {
  const ends = candidates.flatMap(({ provider, source, destination }) =>
    [source, destination]
      .filter((end) => end !== null && end.mapType !== "BUS_ADDR")
      .map((end) => `${provider}: ${end?.reason}\n`),
  );
  return ends.length === 0 ? "" : `\n${[...new Set(ends)].join("")}`;
}
