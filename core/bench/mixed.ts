// SPDX-License-Identifier: MIT
import { constants } from "node:fs";
import { type BenchJob, type Native, type OpenFile, PAGE_BYTES } from "../../ffi/index.ts";
import { type Endpoint, readSource } from "../copy/endpoint.ts";
import { usageError } from "../errors.ts";
import type { CmbRestriction } from "../nvme/cmb.ts";
import { reportCmbs } from "../nvme/cmb-report.ts";
import type { AllocatorKind, Provider } from "../p2pmem/providers.ts";
import { type StagingBuffer, stageInRam } from "../p2pmem/staging.ts";
import type { SystemView } from "../sysfs.ts";
import { type Machine, readMachine } from "../topo/index.ts";
import { NO_DRAM_METER } from "./dram.ts";
import { openDirect } from "./ends.ts";
import { type Mixture, MOST_PIECES, mixtures, piecesOf, shareOf } from "./layout.ts";
import { describeMachine, type MachineDescription } from "./machine.ts";
import { measure, type Sample } from "./measure.ts";
import { type BenchHooks, type BenchTiming, checkShape, checkTiming, type MemoryRequest } from "./request.ts";
import { median } from "./statistics.ts";
import {
  closing,
  demandPeerToPeer,
  openWays,
  type RefusedWay,
  slotsOf,
  type Way,
  type Ways,
} from "./ways.ts";

export interface MixedRequest extends BenchTiming {
  readonly readers: readonly string[];
  readonly chunkBytes: number;
  readonly depth: number;
  /** Percent of the pages of a request that are p2pmem. */
  readonly shares: readonly number[];
  readonly providers: readonly string[];
  readonly allocator: AllocatorKind | undefined;
}

/** One mixture, read by one drive into the memory of one provider. */
export interface MixedPoint {
  readonly reader: Endpoint;
  readonly way: Way;
  readonly mixture: Mixture;
  readonly samples: readonly Sample[];
  /** Commands that the block layer made of one request; undefined where nothing was read. */
  readonly commandsPerRequest: number | undefined;
}

/** What a provider's registers say of mixing. */
export interface MixingRules {
  readonly provider: Provider;
  /** CDPMLS and CDMMMS; empty for what is no CMB, or whose registers can't be read. */
  readonly rules: readonly CmbRestriction[];
}

export interface MixedReport {
  readonly request: MixedRequest;
  readonly startedAt: Date;
  readonly machine: MachineDescription;
  readonly rules: readonly MixingRules[];
  readonly refused: readonly (RefusedWay & { readonly reader: string })[];
  readonly points: readonly MixedPoint[];
}

interface BenchEnvironment {
  readonly sys: SystemView;
  readonly native: Native;
}

/** A drive with the p2pmem that it reaches. */
interface Reader {
  readonly endpoint: Endpoint;
  readonly file: OpenFile;
  readonly ways: Ways;
}

/** After so many refusals a drive has said what it has to say. */
const MOST_ERRORS = 8;

/**
 * Reads every mixture with every drive and provider, all repeats interleaved. What a drive or the kernel refuses
 * is part of the result.
 * @throws P2pdmaError USAGE; P2P_REFUSED when no drive reaches any p2pmem; INTERRUPTED
 */
export async function runMixed(
  env: BenchEnvironment,
  request: MixedRequest,
  hooks: Omit<BenchHooks, "permit">,
): Promise<MixedReport> {
  const mixed = checkMixed(request);
  const machine = readMachine(env.sys);
  const startedAt = new Date();
  const readers: Reader[] = [];
  const held: StagingBuffer[] = [];
  try {
    const points = await closing(held, () => {
      for (const name of request.readers) {
        const reader = openReader(env, machine, name, request);
        readers.push(reader);
        held.push(...reader.ways.open.map(({ memory }) => memory));
      }
      const ways = readers.map((reader) => reader.ways);
      const all = { open: ways.flatMap(({ open }) => open), refused: ways.flatMap(({ refused }) => refused) };
      demandPeerToPeer(all, { ...memoryOf(request), providers: [] });
      const ram = stageInRam(env.native, request.chunkBytes, request.depth);
      held.push(ram);
      return sweep(env, request, readers, ram, mixed, hooks);
    });
    return {
      ...{ request, startedAt, points, rules: rulesOf(env, readers) },
      machine: describeMachine(
        env.sys,
        machine,
        readers.map(({ endpoint }) => endpoint),
      ),
      refused: readers.flatMap(({ endpoint, ways }) =>
        ways.refused.map((way) => ({ ...way, reader: endpoint.path })),
      ),
    };
  } finally {
    for (const { file } of readers) env.native.close(file);
  }
}

function checkMixed(request: MixedRequest): Mixture[] {
  checkShape({ chunks: [request.chunkBytes], depths: [request.depth] });
  checkTiming(request);
  const wrong = request.shares.find((share) => !(share >= 0 && share <= 100));
  if (wrong !== undefined) throw usageError(`--share ${wrong} must be 0 to 100 percent`);
  const pages = request.chunkBytes / PAGE_BYTES;
  if (pages > MOST_PIECES) {
    throw usageError(
      `--chunk ${request.chunkBytes} has more pages than a request may have pieces, ${MOST_PIECES}`,
    );
  }
  return mixtures(pages, request.shares);
}

function openReader(
  { sys, native }: BenchEnvironment,
  machine: Machine,
  name: string,
  request: MixedRequest,
): Reader {
  const endpoint = readSource(sys, native, name);
  if (endpoint.sizeBytes < BigInt(request.chunkBytes)) throw usageError(`"${name}" is smaller than a chunk`);
  const size = request.chunkBytes * request.depth;
  const file = openDirect(native, endpoint, constants.O_RDONLY);
  try {
    return { endpoint, file, ways: openWays(native, machine, [endpoint], memoryOf(request), [size]) };
  } catch (error) {
    native.close(file);
    throw error;
  }
}

function memoryOf({ providers, allocator }: MixedRequest): MemoryRequest {
  return { vias: ["p2p"], providers, allocator };
}

async function sweep(
  env: BenchEnvironment,
  request: MixedRequest,
  readers: readonly Reader[],
  ram: StagingBuffer,
  mixed: readonly Mixture[],
  hooks: Omit<BenchHooks, "permit">,
): Promise<MixedPoint[]> {
  const points = readers.flatMap((reader) =>
    reader.ways.open.flatMap((way) =>
      mixed.map((mixture) => ({ reader, way, mixture, samples: [] as Sample[], commands: [] as number[] })),
    ),
  );
  let done = 0;
  for (let repeat = 0; repeat < request.repeats; repeat++) {
    for (const point of repeat % 2 === 0 ? points : points.toReversed()) {
      const { reader, way, mixture, samples, commands } = point;
      const what = `${reader.endpoint.path} into ${way.id}, ${shareOf(mixture).toFixed()} % ${mixture.layout}`;
      hooks.onStep?.(done++, points.length * request.repeats, what);
      const before = readsOf(env.sys, reader);
      const job = jobOf(request, reader, way, ram, mixture);
      const sample = await measure(env.native, job, NO_DRAM_METER, hooks.abort);
      samples.push(sample);
      const count = commandsPerRequest(sample, request, before, readsOf(env.sys, reader));
      if (count !== undefined) commands.push(count);
    }
  }
  return points.map(({ reader, way, mixture, samples, commands }) => {
    const commandsPerRequest = commands.length > 0 ? median(commands) : undefined;
    return { reader: reader.endpoint, way, mixture, samples, commandsPerRequest };
  });
}

function jobOf(
  request: MixedRequest,
  { file, endpoint }: Reader,
  way: Way,
  ram: StagingBuffer,
  mixture: Mixture,
): BenchJob {
  const { chunkBytes, depth } = request;
  const slots = slotsOf(way, chunkBytes, depth) ?? [];
  const beside = ram.slots;
  return {
    ...{ kind: "read", src: file, slots, chunkBytes, isRandom: false, seed: 1n, fixedBuffers: false },
    pieces: slots.map((slot, index) => piecesOf(mixture, slot, beside[index] ?? slot)),
    ...{ srcOffset: 0n, dstOffset: 0n, rangeBytes: endpoint.sizeBytes },
    ...{ warmupMs: request.warmupMs, timeMs: request.timeMs, sizeBytes: request.sizeBytes },
    mostErrors: MOST_ERRORS,
  };
}

/** Reads that the block device has completed since boot; see Documentation/block/stat.rst. */
function readsOf(sys: SystemView, { endpoint }: Reader): number | undefined {
  const [reads] = (sys.text(`/sys/class/block/${endpoint.device?.name}/stat`) ?? "").trim().split(/\s+/);
  return reads ? Number(reads) : undefined;
}

function commandsPerRequest(
  { allBytes }: Sample,
  { chunkBytes }: MixedRequest,
  before: number | undefined,
  after: number | undefined,
): number | undefined {
  const requests = Number(allBytes) / chunkBytes;
  return before === undefined || after === undefined || requests < 1
    ? undefined
    : (after - before) / requests;
}

const MIXING_FIELDS = ["CDPMLS", "CDMMMS"];

/** A provider that is no NVMe drive has none. */
function rulesOf({ sys, native }: BenchEnvironment, readers: readonly Reader[]): MixingRules[] {
  const ways = readers.flatMap(({ ways }) => ways.open);
  const providers = new Map(ways.flatMap(({ provider }) => (provider ? [[provider.bdf, provider]] : [])));
  return [...providers.values()].map((provider) => {
    const [report] = reportCmbs(sys, native, [provider.bdf]);
    const rules = report?.cmb.restrictions.filter(({ field }) => MIXING_FIELDS.includes(field)) ?? [];
    return { provider, rules };
  });
}
