// SPDX-License-Identifier: MIT
import type { BenchDirection, BenchError, BenchKind, BenchResult } from "../../ffi/index.ts";
import { Latencies } from "./latency.ts";
import type { Sample } from "./measure.ts";
import { median, type Spread, spreadOf } from "./statistics.ts";

/** What the repeats of one point came to. Payload counts once, also in a copy. */
export interface Summary {
  readonly bytesPerSecond: Spread;
  readonly requestsPerSecond: Spread;
  /** Of all repeats together; a copy has both. */
  readonly latency: Readonly<Partial<Record<BenchDirection, Latencies>>>;
  readonly perGiB: Costs;
  /** CPU time of the thread by the time that passed. */
  readonly cpuShare: number;
  readonly errors: readonly BenchError[];
  readonly failed: bigint;
  readonly shortTransfers: bigint;
}

/** Medians of what a GiB of payload costs. */
export interface Costs {
  readonly userNs: number;
  readonly systemNs: number;
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
  /** io_uring_enter(2), the only one that the loop makes. */
  readonly systemCalls: number;
  /** Bytes to and from DRAM; undefined where they can't be counted. */
  readonly dramBytes: number | undefined;
}

const GIB = 2 ** 30;
const DIRECTIONS = { read: ["read"], write: ["write"], copy: ["read", "write"] } as const;

/** @returns undefined when nothing was moved. */
export function summarize(kind: BenchKind, samples: readonly Sample[]): Summary | undefined {
  const moved = samples.filter(({ result }) => result.elapsedNs > 0n && payloadOf(kind, result) > 0);
  if (moved.length === 0) return undefined;
  const seconds = ({ result }: Sample) => Number(result.elapsedNs) / 1e9;
  const directions: readonly BenchDirection[] = DIRECTIONS[kind];
  const rate = (count: (result: BenchResult) => number) =>
    spreadOf(moved.map((sample) => count(sample.result) / seconds(sample)));
  const cpuNs = ({ result }: Sample) => Number(result.userNs + result.systemNs);
  return {
    bytesPerSecond: rate((result) => payloadOf(kind, result)),
    requestsPerSecond: rate((result) => sum(directions.map((at) => Number(result.transfers[at].requests)))),
    latency: Object.fromEntries(
      directions.map((at) => [at, new Latencies(moved.map(({ result }) => result.transfers[at].histogram))]),
    ),
    perGiB: costsOf(kind, moved),
    cpuShare: median(moved.map((sample) => cpuNs(sample) / Number(sample.result.elapsedNs))),
    ...failuresOf(samples),
  };
}

/** What failed in all repeats, kinds of errors put together. */
export function failuresOf(
  samples: readonly Sample[],
): Pick<Summary, "errors" | "failed" | "shortTransfers"> {
  const errors = new Map<string, BenchError>();
  for (const error of samples.flatMap(({ result }) => result.errors)) {
    const key = `${error.direction} ${error.errno}`;
    errors.set(key, { ...error, count: (errors.get(key)?.count ?? 0n) + error.count });
  }
  const total = (count: (result: BenchResult) => bigint) =>
    samples.reduce((all, { result }) => all + count(result), 0n);
  return {
    errors: [...errors.values()],
    failed: total(({ failed }) => failed),
    shortTransfers: total(({ shortTransfers }) => shortTransfers),
  };
}

function payloadOf(kind: BenchKind, { transfers }: BenchResult): number {
  return Number(kind === "read" ? transfers.read.bytes : transfers.write.bytes);
}

function costsOf(kind: BenchKind, samples: readonly Sample[]): Costs {
  const perGiB = (cost: (sample: Sample) => bigint | number) =>
    median(samples.map((sample) => (Number(cost(sample)) / payloadOf(kind, sample.result)) * GIB));
  const hasDram = samples.every(({ dramBytes }) => dramBytes !== undefined);
  return {
    userNs: perGiB(({ result }) => result.userNs),
    systemNs: perGiB(({ result }) => result.systemNs),
    voluntarySwitches: perGiB(({ result }) => result.voluntarySwitches),
    involuntarySwitches: perGiB(({ result }) => result.involuntarySwitches),
    systemCalls: perGiB(({ result }) => result.enters),
    dramBytes: hasDram ? perGiB(({ dramBytes }) => dramBytes ?? 0) : undefined,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
