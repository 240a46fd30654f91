// SPDX-License-Identifier: MIT
import type { BenchJob, Native } from "../../ffi/index.ts";
import type { SystemView } from "../sysfs.ts";
import { readMachine } from "../topo/index.ts";
import { formatBytes } from "../units.ts";
import { type DramMeter, openDramMeter } from "./dram.ts";
import { checkEnds, type Ends, endsList, type OpenEnds, openEnds } from "./ends.ts";
import { describeMachine, type MachineDescription } from "./machine.ts";
import { measure, type Sample } from "./measure.ts";
import { type BenchHooks, type BenchRequest, checkShape, checkTiming } from "./request.ts";
import { closing, demandPeerToPeer, openWays, type RefusedWay, slotsOf, type Way } from "./ways.ts";

/** One place in the sweep, with all its repeats. */
export interface BenchPoint {
  readonly way: Way;
  readonly chunkBytes: number;
  readonly depth: number;
  /** Empty when the memory is too small for so many slots. */
  readonly samples: readonly Sample[];
}

export interface BenchReport {
  readonly request: BenchRequest;
  readonly startedAt: Date;
  readonly machine: MachineDescription;
  readonly ends: Ends;
  readonly ways: readonly Way[];
  readonly refused: readonly RefusedWay[];
  readonly points: readonly BenchPoint[];
  readonly dram: { readonly missing: string | undefined; readonly units: readonly string[] };
}

interface BenchEnvironment {
  readonly sys: SystemView;
  readonly native: Native;
}

/**
 * Measures every point of the sweep through every kind of memory, all repeats interleaved, so that what drifts
 * meanwhile drifts for all of them.
 * @throws P2pdmaError as checkEnds() and openWays() do, INTERRUPTED when aborted
 */
export async function runBench(
  env: BenchEnvironment,
  request: BenchRequest,
  hooks: BenchHooks,
): Promise<BenchReport> {
  checkShape(request);
  checkTiming(request);
  const ends = await checkEnds(env, request, hooks);
  const machine = readMachine(env.sys);
  const { open, refused } = openWays(env.native, machine, endsList(ends), request, sizesOf(request));
  const startedAt = new Date();
  const held = open.map(({ memory }) => memory);
  const points = await closing(held, async () => {
    demandPeerToPeer({ open, refused }, request);
    return measureAll(env, request, ends, open, hooks);
  });
  return {
    ...{ request, startedAt, ends, ways: open, refused },
    ...points,
    machine: describeMachine(env.sys, machine, endsList(ends)),
  };
}

/** Memory that the points need, largest first. */
function sizesOf({ chunks, depths }: BenchRequest): number[] {
  const sizes = chunks.flatMap((chunk) => depths.map((depth) => chunk * depth));
  return [...new Set(sizes)].sort((a, b) => b - a);
}

async function measureAll(
  env: BenchEnvironment,
  request: BenchRequest,
  ends: Ends,
  ways: readonly Way[],
  hooks: BenchHooks,
): Promise<Pick<BenchReport, "points" | "dram">> {
  const files = openEnds(env.native, ends, request);
  const dram = openDramMeter(env.sys, env.native);
  try {
    if (request.kind === "write") await fillMemory(env.native, ways, request.seed);
    const points = await sweep(env.native, request, { files, ends, dram }, ways, hooks);
    return { points, dram: { missing: dram.missing, units: dram.units } };
  } finally {
    dram.close();
    files.close();
  }
}

/** Drives may treat zeros and what repeats specially, so the data to be written are random. */
async function fillMemory(native: Native, ways: readonly Way[], seed: bigint): Promise<void> {
  for (const { memory } of ways) {
    const { mapping } = memory;
    const range = { mapping, offsetBytes: 0, lengthBytes: mapping.lengthBytes };
    await native.startFill(range, { kind: "random", seed }).done;
  }
}

interface Held {
  readonly files: OpenEnds;
  readonly ends: Ends;
  readonly dram: DramMeter;
}

/** Repeats outermost and ways innermost; every other repeat backwards, so that none always comes first. */
async function sweep(
  native: Native,
  request: BenchRequest,
  held: Held,
  ways: readonly Way[],
  hooks: BenchHooks,
): Promise<BenchPoint[]> {
  const points = request.chunks.flatMap((chunkBytes) =>
    request.depths.flatMap((depth) =>
      ways.map((way) => ({ way, chunkBytes, depth, samples: [] as Sample[] })),
    ),
  );
  let done = 0;
  for (let repeat = 0; repeat < request.repeats; repeat++) {
    for (const point of repeat % 2 === 0 ? points : points.toReversed()) {
      hooks.onStep?.(done++, points.length * request.repeats, describePoint(point));
      const job = jobOf(request, held, point);
      if (job) point.samples.push(await measure(native, job, held.dram, hooks.abort));
    }
  }
  return points;
}

function describePoint({ way, chunkBytes, depth }: Pick<BenchPoint, "way" | "chunkBytes" | "depth">): string {
  return `${way.id}, ${formatBytes(chunkBytes)} x ${depth}`;
}

function jobOf(
  request: BenchRequest,
  { files, ends }: Held,
  { way, chunkBytes, depth }: Pick<BenchPoint, "way" | "chunkBytes" | "depth">,
): BenchJob | undefined {
  const slots = slotsOf(way, chunkBytes, depth);
  return (
    slots && {
      ...{ kind: request.kind, src: files.src, dst: files.dst, slots, chunkBytes },
      ...{ isRandom: request.isRandom, seed: request.seed, fixedBuffers: way.via === "ram" },
      ...{ srcOffset: request.offset, dstOffset: request.offset, rangeBytes: ends.rangeBytes },
      ...{ warmupMs: request.warmupMs, timeMs: request.timeMs, sizeBytes: request.sizeBytes },
      mostErrors: 0,
    }
  );
}
