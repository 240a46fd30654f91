// SPDX-License-Identifier: MIT
import type { BenchDocument, PointDocument } from "../core/bench/document.ts";

const HEAD = [
  ...["memory", "provider", "chunk_bytes", "depth", "direction"],
  ...["bytes_per_second", "least", "most", "deviation", "requests_per_second", "link_share"],
  ...["requests", "mean_ns", "p50_ns", "p90_ns", "p99_ns", "p99.9_ns", "p99.99_ns"],
  ...["user_ns_per_gib", "system_ns_per_gib", "voluntary_switches_per_gib", "involuntary_switches_per_gib"],
  ...["system_calls_per_gib", "dram_bytes_per_gib", "problem"],
];

type Cell = string | number | null | undefined;

/** A line for each point and direction, so that a copy has two. */
export function renderBenchCsv(document: BenchDocument): string {
  const rows = document.points.flatMap((point) => rowsOf(document, point));
  return csv([HEAD, ...rows]);
}

/** RFC 4180, with the line ends of Unix. */
export function csv(rows: readonly (readonly Cell[])[]): string {
  return rows.map((row) => `${row.map(quote).join(",")}\n`).join("");
}

function rowsOf({ ways }: BenchDocument, point: PointDocument): Cell[][] {
  const { way, chunkBytes, depth, summary, problem } = point;
  const place = [way, ways.find(({ id }) => id === way)?.provider, chunkBytes, depth];
  if (!summary)
    return [[...place, ...Array.from({ length: HEAD.length - place.length - 1 }, () => null), problem]];
  const { bytesPerSecond, requestsPerSecond, linkShare, perGiB } = summary;
  const { median, least, most, deviation } = bytesPerSecond;
  const costs = [perGiB.userNs, perGiB.systemNs, perGiB.voluntarySwitches, perGiB.involuntarySwitches];
  return (["read", "write"] as const).flatMap((direction) => {
    const latency = summary.latency[direction];
    if (!latency) return [];
    return [
      [
        ...[...place, direction, median, least, most, deviation, requestsPerSecond.median, linkShare],
        ...[latency.requests, latency.meanNs, ...Object.values(latency.percentilesNs)],
        ...[...costs, perGiB.systemCalls, perGiB.dramBytes, problem],
      ],
    ];
  });
}

function quote(cell: Cell): string {
  const text = String(cell ?? "");
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
