// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { AdaptiveDepth, type DepthSample, depthSample } from "../../../../core/copy/adaptive-depth.ts";
import type { PumpProgress } from "../../../../ffi/index.ts";

const CHUNK = 1 << 20;
const TICK_MS = 100;

/** A device with one queue: up to the knee each chunk takes its time, beyond it chunks wait in line. */
class Device {
  kneeDepth: number;
  #state: number;
  #counters: DepthSample = { atMs: 0, bytesMoved: 0n, requests: 0n, latencySumNs: 0n };
  /** Bytes a second that are let through at all; a rate limit. */
  limit = Number.POSITIVE_INFINITY;

  constructor(
    kneeDepth: number,
    readonly chunkMs: number,
    readonly noise: number,
    seed: number,
  ) {
    this.kneeDepth = kneeDepth;
    this.#state = seed;
  }

  /** Bytes a second at this depth. */
  throughput(depth: number): number {
    const chunksPerSecond = (Math.min(depth, this.kneeDepth) / this.chunkMs) * 1000;
    return Math.min(chunksPerSecond * CHUNK, this.limit);
  }

  latencyMs(depth: number): number {
    return this.throughput(depth) < this.limit
      ? (this.chunkMs * Math.max(depth, this.kneeDepth)) / this.kneeDepth
      : this.chunkMs;
  }

  run(depth: number): DepthSample {
    const bytes = this.throughput(depth) * (TICK_MS / 1000) * this.#jitter();
    const requests = Math.ceil((2 * bytes) / CHUNK);
    const latencyNs = (this.latencyMs(depth) / 2) * 1e6 * this.#jitter();
    this.#counters = {
      atMs: this.#counters.atMs + TICK_MS,
      bytesMoved: this.#counters.bytesMoved + BigInt(Math.round(bytes)),
      requests: this.#counters.requests + BigInt(requests),
      latencySumNs: this.#counters.latencySumNs + BigInt(Math.round(requests * latencyNs)),
    };
    return this.#counters;
  }

  /** 1, give or take the noise; the same for the same seed (mulberry32). */
  #jitter(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return 1 + this.noise * (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1);
  }
}

function settle(controller: AdaptiveDepth, device: Device, seconds: number): number[] {
  const depths: number[] = [];
  let depth = controller.depth;
  for (let tick = 0; tick < seconds * (1000 / TICK_MS); tick++) {
    depth = controller.next(device.run(depth));
    depths.push(depth);
  }
  return depths;
}

/** The depth that it stays at for longest; looking around is brief. */
function mostly(depths: readonly number[]): number {
  const times = new Map<number, number>();
  for (const depth of depths) times.set(depth, (times.get(depth) ?? 0) + 1);
  return [...times].reduce((most, entry) => (entry[1] > most[1] ? entry : most))[0];
}

for (const noise of [0, 0.02]) {
  for (const knee of [1, 2, 3, 5, 8, 12, 16, 20, 32, 50, 100, 200]) {
    test(`AdaptiveDepth settles near a knee at ${knee}, noise ${noise}`, () => {
      for (let seed = 1; seed <= 10; seed++) {
        const device = new Device(knee, 8, noise, seed);
        const controller = new AdaptiveDepth(256);
        settle(controller, device, 15);
        const depth = mostly(settle(controller, device, 20));
        assert.ok(device.throughput(depth) >= 0.9 * device.throughput(256), `seed ${seed}: ${depth}`);
        assert.ok(depth <= Math.ceil(1.5 * knee) + 1, `seed ${seed}: ${depth}`);
      }
    });
  }
}

test("AdaptiveDepth uses all slots where they are fewer than the knee", () => {
  for (const slots of [1, 2, 7, 16, 40]) {
    const controller = new AdaptiveDepth(slots);
    assert.is(controller.depth, Math.min(16, slots));
    assert.is(mostly(settle(controller, new Device(64, 8, 0.02, slots), 20)), slots);
  }
});

test("AdaptiveDepth follows a knee that moves", () => {
  const device = new Device(64, 8, 0.01, 5);
  const controller = new AdaptiveDepth(256);
  assert.ok(mostly(settle(controller, device, 20)) >= 58);
  device.kneeDepth = 6;
  settle(controller, device, 60);
  assert.ok(mostly(settle(controller, device, 20)) <= 10);
  device.kneeDepth = 100;
  settle(controller, device, 60);
  assert.ok(mostly(settle(controller, device, 20)) >= 90);
});

test("AdaptiveDepth does not trade much for a small depth where the knee is soft", () => {
  for (const softness of [0.2, 0.5, 1, 2, 4]) {
    const device = new Device(1, 8, 0, 1);
    const most = device.throughput(1);
    device.throughput = (depth) => (most * depth) / (depth + softness);
    device.latencyMs = (depth) => depth + softness;
    const controller = new AdaptiveDepth(64);
    const depth = mostly(settle(controller, device, 120));
    assert.ok(device.throughput(depth) >= 0.85 * most, `softness ${softness}: ${depth}`);
    assert.ok(depth <= 36, `softness ${softness}: ${depth}`);
  }
});

test("AdaptiveDepth does not climb against a rate limit", () => {
  const device = new Device(64, 8, 0.02, 7);
  device.limit = device.throughput(4);
  const controller = new AdaptiveDepth(256);
  const depths = settle(controller, device, 60);
  assert.ok(Math.max(...depths) <= 24, `${Math.max(...depths)}`);
  assert.ok(Math.min(...depths) >= 16, `${Math.min(...depths)}`);
});

test("AdaptiveDepth waits for a device that stalls", () => {
  const controller = new AdaptiveDepth(64);
  const stalled = (atMs: number) => ({ atMs, bytesMoved: 0n, requests: 0n, latencySumNs: 0n });
  for (let atMs = 0; atMs < 60_000; atMs += TICK_MS) assert.is(controller.next(stalled(atMs)), 16);
});

test("AdaptiveDepth never leaves 1 to the number of slots, whatever it is told", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const slots = 1 + ((seed * 37) % 300);
    const controller = new AdaptiveDepth(slots);
    const device = new Device(1 + ((seed * 13) % 400), 1 + (seed % 30), 0.9, seed);
    for (const depth of settle(controller, device, 60)) {
      assert.ok(Number.isInteger(depth) && depth >= 1 && depth <= slots, `seed ${seed}: ${depth}`);
    }
  }
});

test("AdaptiveDepth says the same for the same samples", () => {
  const once = () => settle(new AdaptiveDepth(128), new Device(40, 6, 0.3, 9), 60);
  assert.equal(once(), once());
});

test("AdaptiveDepth wants at least one slot", () => {
  assert.throws(() => new AdaptiveDepth(0), /0 slots/);
});

test("depthSample() adds up the directions", () => {
  const progress = {
    ...{ bytesRead: 1n, bytesWritten: 2n, bytesCompared: 4n },
    latency: {
      read: { requests: 1n, sumNs: 10n },
      write: { requests: 2n, sumNs: 20n },
      compare: { requests: 4n, sumNs: 40n },
    },
  } as PumpProgress;
  assert.equal(depthSample(5, progress), { atMs: 5, bytesMoved: 7n, requests: 7n, latencySumNs: 70n });
});

test.run();
