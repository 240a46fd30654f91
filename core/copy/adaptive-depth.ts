// SPDX-License-Identifier: MIT
import type { PumpProgress } from "../../ffi/index.ts";

/** Counters of a copy at one moment; all but the time only grow. */
export interface DepthSample {
  readonly atMs: number;
  readonly bytesMoved: bigint;
  /** Requests that ended, and the time they took together. */
  readonly requests: bigint;
  readonly latencySumNs: bigint;
}

export const START_DEPTH = 16;

/** Least time that a depth is judged by, and requests for each chunk in work: a stalled device is not judged at all. */
const WINDOW_MS = 400;
const REQUESTS_PER_SLOT = 2n;
/** After a change the requests of the depth before are still coming in. */
const SETTLE_MS = 100;
/** What counts as a change, of throughput and of latency. */
const NOTABLE = 1.05;
/** Throughput that less depth may cost. */
const TOLERABLE = 1.03;
const STEP = 1.5;
/** Devices change: caches fill up, others come and go. */
const HOLD_MS = 5000;

interface Measurement {
  readonly depth: number;
  readonly bytesPerSecond: number;
  readonly latencyNs: number;
}

/**
 * Finds the smallest number of chunks in work that gets the throughput out of the devices: climbs as long as
 * throughput rises by 5 % a step, steps back when only latency rises, and tries less when more was of no use. Begins
 * at 16, or all slots if fewer, and never leaves 1 to `slots`. Looks around again every 5 s.
 */
export class AdaptiveDepth {
  readonly #slots: number;
  #depth: number;
  #windowStart: DepthSample | undefined;
  #settledAtMs = 0;
  /** What a trial is held against; undefined while there is none. */
  #base: Measurement | undefined;

  constructor(slots: number) {
    if (!Number.isInteger(slots) || slots < 1) throw new RangeError(`${slots} slots`);
    this.#slots = slots;
    this.#depth = Math.min(START_DEPTH, slots);
  }

  get depth(): number {
    return this.#depth;
  }

  /** Takes the counters, a few times a second; answers the depth to set. */
  next(sample: DepthSample): number {
    const start = this.#windowStart;
    if (!start) {
      if (sample.atMs >= this.#settledAtMs) this.#windowStart = sample;
      return this.#depth;
    }
    const measured = measure(this.#depth, start, sample);
    if (measured) this.#judge(measured, sample.atMs);
    return this.#depth;
  }

  #judge(measured: Measurement, nowMs: number): void {
    const base = this.#base;
    if (!base) this.#try(larger(measured.depth), measured, nowMs);
    else if (measured.depth > base.depth) this.#judgeMore(measured, base, nowMs);
    else this.#judgeLess(measured, base, nowMs);
  }

  #judgeMore(measured: Measurement, base: Measurement, nowMs: number): void {
    if (measured.bytesPerSecond >= base.bytesPerSecond * NOTABLE) {
      this.#try(larger(measured.depth), measured, nowMs);
    } else if (measured.latencyNs >= base.latencyNs * NOTABLE) {
      this.#try(smaller(base.depth), base, nowMs);
    } else {
      // Past the knee, or something else is the limit: the depth before was as good.
      this.#hold(base.depth, nowMs);
    }
  }

  #judgeLess(measured: Measurement, base: Measurement, nowMs: number): void {
    const isAsFast = measured.bytesPerSecond * TOLERABLE >= base.bytesPerSecond;
    if (isAsFast && measured.latencyNs * NOTABLE <= base.latencyNs) {
      this.#try(smaller(measured.depth), measured, nowMs);
    } else {
      this.#hold(base.depth, nowMs);
    }
  }

  #try(depth: number, base: Measurement, nowMs: number): void {
    const within = Math.min(this.#slots, Math.max(1, depth));
    if (within === base.depth) {
      if (within > 1 && depth > within) this.#try(smaller(within), base, nowMs);
      else this.#hold(within, nowMs);
      return;
    }
    this.#base = base;
    this.#set(within, nowMs);
  }

  #hold(depth: number, nowMs: number): void {
    this.#base = undefined;
    this.#set(depth, nowMs + HOLD_MS);
  }

  #set(depth: number, fromMs: number): void {
    this.#depth = depth;
    this.#windowStart = undefined;
    this.#settledAtMs = fromMs + SETTLE_MS;
  }
}

/** A sample of a running pump. */
export function depthSample(atMs: number, progress: PumpProgress): DepthSample {
  const { read, write, compare } = progress.latency;
  const directions = [read, write, compare];
  return {
    atMs,
    bytesMoved: progress.bytesRead + progress.bytesWritten + progress.bytesCompared,
    requests: directions.reduce((sum, { requests }) => sum + requests, 0n),
    latencySumNs: directions.reduce((sum, { sumNs }) => sum + sumNs, 0n),
  };
}

/** Undefined while there is too little to go by. */
function measure(depth: number, from: DepthSample, to: DepthSample): Measurement | undefined {
  const elapsedMs = to.atMs - from.atMs;
  const requests = to.requests - from.requests;
  if (elapsedMs < WINDOW_MS || requests < BigInt(depth) * REQUESTS_PER_SLOT) return undefined;
  return {
    depth,
    bytesPerSecond: (Number(to.bytesMoved - from.bytesMoved) / elapsedMs) * 1000,
    latencyNs: Number(to.latencySumNs - from.latencySumNs) / Number(requests),
  };
}

const larger = (depth: number) => Math.ceil(depth * STEP);
const smaller = (depth: number) => Math.floor(depth / STEP);
