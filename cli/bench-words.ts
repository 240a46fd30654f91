// SPDX-License-Identifier: MIT
import type { LatencyDocument, PointDocument } from "../core/bench/document.ts";
import type { FioResult } from "../core/bench/fio.ts";
import { formatBytes } from "../core/units.ts";

/** Three significant digits: `812 µs`, `10.9 ms`, `1.25 s`. */
export function formatNs(ns: number | null | undefined): string {
  if (ns === null || ns === undefined) return "-";
  const [unit, size] = ns < 1000 ? ["ns", 1] : ns < 1e6 ? ["µs", 1e3] : ns < 1e9 ? ["ms", 1e6] : ["s", 1e9];
  return `${digits(ns / (size as number))} ${unit}`;
}

export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(Math.round(bytesPerSecond))}/s`;
}

/** As a percentage with two digits at least: `0.42 %`, `98 %`. */
export function formatShare(share: number | null): string {
  return share === null ? "-" : `${digits(share * 100)} %`;
}

/** Three significant digits, no exponent. */
export function digits(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return "0";
  const places = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value
    .toFixed(Math.min(places, 6))
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");
}

/** The latencies that a point has: one, or read and write of a copy. */
export function latenciesOf({ summary }: PointDocument): LatencyDocument[] {
  const { read, write } = summary?.latency ?? {};
  return [read, write].flatMap((latency) => latency ?? []);
}

/** fio's result for the same request size, depth, pattern, direction and memory. */
export function likeIt(
  fio: readonly FioResult[],
  run: {
    readonly kind: string;
    readonly pattern: string;
    readonly ways: readonly { id: string; via: string; provider: string | null }[];
  },
  { way, chunkBytes, depth }: Pick<PointDocument, "way" | "chunkBytes" | "depth">,
): FioResult | undefined {
  const memory = run.ways.find(({ id }) => id === way);
  return fio.find(
    (result) =>
      result.direction === run.kind &&
      result.pattern === run.pattern &&
      result.chunkBytes === chunkBytes &&
      result.depth === depth &&
      result.via === memory?.via &&
      result.provider === memory.provider,
  );
}
