// SPDX-License-Identifier: MIT
import { build, type Histogram } from "hdr-histogram-js";
import type { BenchBucket } from "../../ffi/index.ts";

/** Percentiles that are reported, where there were enough requests to tell. */
export const PERCENTILES = [50, 90, 99, 99.9, 99.99] as const;

/** As in p2pdma.h, so that each bucket falls into one of the same bounds here. */
const LAYOUT = {
  bitBucketSize: 64,
  autoResize: false,
  useWebAssembly: false,
  lowestDiscernibleValue: 1,
  highestTrackableValue: 2 ** 42 - 1,
  numberOfSignificantValueDigits: 3,
} as const;

export interface LatencyPoint {
  /** Share of the requests that took no longer, in percent. */
  readonly percentile: number;
  readonly ns: number;
}

/** How long requests took: all runs of a point together. */
export class Latencies {
  readonly #histogram: Histogram = build(LAYOUT);

  constructor(runs: readonly (readonly BenchBucket[])[]) {
    for (const { ns, count } of runs.flat()) this.#histogram.recordValueWithCount(ns, count);
  }

  get requests(): number {
    return this.#histogram.totalCount;
  }

  get meanNs(): number {
    return this.requests === 0 ? 0 : this.#histogram.mean;
  }

  get deviationNs(): number {
    return this.requests === 0 ? 0 : this.#histogram.stdDeviation;
  }

  /** @returns nanoseconds within 0.1 %; undefined when fewer requests were made than it takes for one to lie above. */
  percentile(percentile: number): number | undefined {
    const least = Math.round(100 / (100 - percentile));
    return this.requests < least ? undefined : this.#histogram.getValueAtPercentile(percentile);
  }

  /** The distribution from the least to the longest time, with steps that halve towards 100 %. */
  curve(): LatencyPoint[] {
    const points: LatencyPoint[] = [];
    for (let rest = 100; this.requests * rest >= 100; rest *= STEP) {
      points.push({ percentile: 100 - rest, ns: this.#histogram.getValueAtPercentile(100 - rest) });
    }
    return points;
  }
}

/** Six points to each halving. */
const STEP = 0.5 ** (1 / 6);
