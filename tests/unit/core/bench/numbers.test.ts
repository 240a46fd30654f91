// SPDX-License-Identifier: MIT
// What is made of the counts: percentiles, medians, costs of a GiB.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Latencies } from "../../../../core/bench/latency.ts";
import type { Sample } from "../../../../core/bench/measure.ts";
import { spreadOf } from "../../../../core/bench/statistics.ts";
import { failuresOf, summarize } from "../../../../core/bench/summary.ts";
import type { BenchResult } from "../../../../ffi/index.ts";

const near = (value: number | undefined, wanted: number) =>
  assert.ok(value !== undefined && Math.abs(value / wanted - 1) <= 0.001, `${value}, wanted ${wanted}`);

test("Latencies: percentiles of 1 to 100000 us are right within 0.1 %", () => {
  const buckets = Array.from({ length: 100_000 }, (_, at) => ({ ns: (at + 1) * 1000, count: 1 }));
  const all = new Latencies([buckets.slice(0, 300), buckets.slice(300)]);
  assert.is(all.requests, 100_000);
  near(all.meanNs, 50_000_500);
  near(all.percentile(50), 50_000_000);
  near(all.percentile(99), 99_000_000);
  near(all.percentile(99.99), 99_990_000);
  near(all.curve().at(-1)?.ns, 100_000_000);
  near(all.curve()[0]?.ns, 1000);
});

test("Latencies: times up to 73 minutes have their place", () => {
  const long = new Latencies([[{ ns: 2 ** 41, count: 3 }]]);
  near(long.percentile(50), 2 ** 41);
});

test("Latencies: a percentile needs one request above it", () => {
  const requests = (count: number) => new Latencies([[{ ns: 5000, count }]]);
  assert.is(requests(999).percentile(99.9), undefined);
  near(requests(1000).percentile(99.9), 5000);
  assert.is(requests(1).percentile(50), undefined);
  assert.equal(new Latencies([]).curve(), []);
  assert.is(new Latencies([]).meanNs, 0);
});

test("spreadOf(): median, ends and median absolute deviation", () => {
  assert.equal(spreadOf([10, 1, 2, 3]), { median: 2.5, least: 1, most: 10, deviation: 1 });
  assert.equal(spreadOf([7]), { median: 7, least: 7, most: 7, deviation: 0 });
  assert.throws(() => spreadOf([]), RangeError);
});

const GIB = 1n << 30n;
const idle = { bytes: 0n, requests: 0n, latencySumNs: 0n, leastNs: 0n, mostNs: 0n, histogram: [] };

function sample(bytes: bigint, seconds: number, over: Partial<BenchResult> = {}): Sample {
  const moved = {
    ...{ bytes, requests: bytes / 65536n, latencySumNs: 0n, leastNs: 1n, mostNs: 1n },
    histogram: [{ ns: 1, count: Number(bytes / 65536n) }],
  };
  const result: BenchResult = {
    ...{ elapsedNs: BigInt(seconds * 1e9), transfers: { read: moved, write: idle }, shortTransfers: 0n },
    ...{
      enters: 100n,
      userNs: 1_000_000n,
      systemNs: 3_000_000n,
      voluntarySwitches: 8n,
      involuntarySwitches: 2n,
    },
    ...{ fixedBuffers: false, failed: 0n, errors: [], ...over },
  };
  return { result, allBytes: bytes, dramBytes: undefined };
}

test("summarize(): rates are medians of the repeats, costs are those of a GiB", () => {
  const found = summarize("read", [sample(GIB, 1), sample(GIB / 2n, 1), sample(GIB / 4n, 1)]);
  assert.equal(found?.bytesPerSecond, {
    ...{ median: 2 ** 29, least: 2 ** 28, most: 2 ** 30, deviation: 2 ** 28 },
  });
  assert.is(found?.requestsPerSecond.median, 8192);
  assert.equal(found?.perGiB, {
    ...{ userNs: 2e6, systemNs: 6e6, voluntarySwitches: 16, involuntarySwitches: 4, systemCalls: 200 },
    dramBytes: undefined,
  });
  assert.is(found?.cpuShare, 0.004);
  assert.is(found?.latency.read?.requests, 16384 + 8192 + 4096);
  assert.is(found?.latency.write, undefined);
});

test("summarize(): the payload of a copy counts once", () => {
  const { result } = sample(GIB, 1);
  const transfers = { read: result.transfers.read, write: { ...result.transfers.read, bytes: GIB / 2n } };
  const copied = [{ result: { ...result, transfers }, allBytes: GIB, dramBytes: 4 * 2 ** 30 }];
  const found = summarize("copy", copied);
  assert.is(found?.bytesPerSecond.median, 2 ** 29);
  assert.is(found?.perGiB.dramBytes, 8 * 2 ** 30);
  assert.is(found?.requestsPerSecond.median, 2 * 16384);
});

test("summarize() and failuresOf(): errors of all repeats, and nothing of what moved nothing", () => {
  const error = { errno: 5, direction: "read", count: 2n } as const;
  const failed = sample(0n, 1, { failed: 3n, errors: [error, { errno: 121, direction: "read", count: 1n }] });
  assert.is(summarize("read", [failed]), undefined);
  assert.is(summarize("read", []), undefined);
  const both = failuresOf([failed, sample(GIB, 1, { failed: 2n, errors: [error], shortTransfers: 1n })]);
  assert.equal(both, {
    errors: [
      { errno: 5, direction: "read", count: 4n },
      { errno: 121, direction: "read", count: 1n },
    ],
    ...{ failed: 5n, shortTransfers: 1n },
  });
});

test.run();
