// SPDX-License-Identifier: MIT
import { SyscallError } from "./errors.ts";
import type { OpenFile } from "./files.ts";
import { ABI_VERSION, bufferAddress, helperCallAsync } from "./load.ts";
import { type MemoryRange, rangeAddress } from "./memory.ts";

/** copy: each slot reads a chunk from the source, then writes it to the destination. */
export type BenchKind = "read" | "write" | "copy";
export type BenchDirection = "read" | "write";

/** One workload at one depth. */
export interface BenchJob {
  readonly kind: BenchKind;
  /** Needed where something is read. */
  readonly src?: OpenFile | undefined;
  /** Needed where something is written. */
  readonly dst?: OpenFile | undefined;
  /** Each at least `chunkBytes` long; their number is the queue depth, 1 to 4096. */
  readonly slots: readonly MemoryRange[];
  /** Instead of the slots, memory of each request in several pieces, a chunk together and as many for each. */
  readonly pieces?: readonly (readonly MemoryRange[])[] | undefined;
  readonly chunkBytes: number;
  /** Offsets by `seed` instead of one after the other. */
  readonly isRandom: boolean;
  readonly seed: bigint;
  /** Try to register the slots; p2pmem can't be, and pieces aren't. */
  readonly fixedBuffers: boolean;
  readonly srcOffset: bigint;
  readonly dstOffset: bigint;
  /** Bytes from the offsets on, gone through again and again; at least a chunk. */
  readonly rangeBytes: bigint;
  readonly warmupMs: number;
  /** How long is measured, or else how much. */
  readonly timeMs?: number | undefined;
  readonly sizeBytes?: bigint | undefined;
  /** The run ends after more failed requests than these. */
  readonly mostErrors: number;
}

/** Requests whose time lies in one bucket of the histogram. */
export interface BenchBucket {
  /** The least time that counts here, in nanoseconds. */
  readonly ns: number;
  readonly count: number;
}

/** What completed in one direction while it was measured. */
export interface BenchTransfers {
  readonly bytes: bigint;
  readonly requests: bigint;
  readonly latencySumNs: bigint;
  /** 0 without requests. */
  readonly leastNs: bigint;
  readonly mostNs: bigint;
  /** By time, empty buckets left out: an HDR histogram of three digits, up to 2^42 ns. */
  readonly histogram: readonly BenchBucket[];
}

export interface BenchError {
  readonly errno: number;
  readonly direction: BenchDirection;
  readonly count: bigint;
}

export interface BenchResult {
  readonly elapsedNs: bigint;
  readonly transfers: Readonly<Record<BenchDirection, BenchTransfers>>;
  readonly shortTransfers: bigint;
  /** io_uring_enter(2) calls. */
  readonly enters: bigint;
  /** CPU time of the thread that did it. */
  readonly userNs: bigint;
  readonly systemNs: bigint;
  readonly voluntarySwitches: bigint;
  readonly involuntarySwitches: bigint;
  readonly fixedBuffers: boolean;
  /** Requests, warm-up included. */
  readonly failed: bigint;
  /** The first 16 kinds. */
  readonly errors: readonly BenchError[];
}

export interface BenchRun {
  /** Rejects with SyscallError: ECANCELED, or what broke the ring. */
  readonly done: Promise<BenchResult>;
  bytesNow(): bigint;
  /** Requests the kernel still holds. Above 0 after the end only when the ring broke: the memory must stay mapped then. */
  inFlight(): number;
  cancel(): void;
}

const JOB_BYTES = 128;
const RESULT_FIELDS = 54;
const BUCKETS = 33792;
const LINEAR_BUCKETS = 2048;
const ERROR_ENTRIES = 16;
const FLAG_RANDOM = 1;
const FLAG_FIXED_BUFFERS = 2;
const KINDS: readonly BenchKind[] = ["read", "write", "copy"];
const DIRECTIONS = ["read", "write"] as const;

/** Index of each 64-bit field of struct p2p_bench_result; those of both directions come as pairs. */
const RESULT = {
  elapsedNs: 0,
  bytes: 1,
  requests: 3,
  latencySumNs: 5,
  leastNs: 7,
  mostNs: 9,
  shortTransfers: 11,
  enters: 12,
  userNs: 13,
  systemNs: 14,
  voluntarySwitches: 15,
  involuntarySwitches: 16,
  fixedBuffers: 17,
  failed: 18,
  errors: 19,
  inFlight: 51,
  bytesNow: 52,
  cancel: 53,
} as const;

/** Starts a workload on a worker thread: one native call, however many requests. */
export function startBench(job: BenchJob): BenchRun {
  const result = Buffer.alloc(RESULT_FIELDS * 8);
  const histograms = Buffer.alloc(DIRECTIONS.length * BUCKETS * 8);
  const tables = { result, histograms, slots: packSlots(job), vectors: packVectors(job.pieces ?? []) };
  const packed = packJob(job, tables);
  const field = (index: number) => result.readBigUInt64LE(index * 8);
  const run = async () => {
    const code = await helperCallAsync("p2p_bench_run", { job, tables }, packed);
    if (code < 0) throw new SyscallError("p2p_bench_run", -code, labelOf(job));
    return unpackResult(result, histograms);
  };
  return {
    done: run(),
    bytesNow: () => field(RESULT.bytesNow),
    inFlight: () => Number(field(RESULT.inFlight)),
    cancel: () => void result.writeBigUInt64LE(1n, RESULT.cancel * 8),
  };
}

function labelOf({ src, dst }: BenchJob): string {
  return [src?.path, dst?.path].filter(Boolean).join(" -> ");
}

function packSlots(job: BenchJob): Buffer {
  const out = Buffer.alloc(job.slots.length * 8);
  for (const [index, slot] of job.slots.entries()) {
    if (slot.lengthBytes < job.chunkBytes) throw new RangeError("a slot is shorter than a chunk");
    out.writeBigUInt64LE(BigInt(rangeAddress(slot)), index * 8);
  }
  return out;
}

/** struct iovec for each piece. */
function packVectors(pieces: readonly (readonly MemoryRange[])[]): Buffer {
  const all = pieces.flat();
  const out = Buffer.alloc(Math.max(1, all.length) * 16);
  for (const [index, piece] of all.entries()) {
    out.writeBigUInt64LE(BigInt(rangeAddress(piece)), index * 16);
    out.writeBigUInt64LE(BigInt(piece.lengthBytes), index * 16 + 8);
  }
  return out;
}

function packJob(
  job: BenchJob,
  tables: { result: Buffer; histograms: Buffer; slots: Buffer; vectors: Buffer },
): Buffer {
  const out = Buffer.alloc(JOB_BYTES);
  const perSlot = checkPieces(job);
  let at = 0;
  const u32 = (value: number) => {
    at = out.writeUInt32LE(value, at);
  };
  const i32 = (value: number) => {
    at = out.writeInt32LE(value, at);
  };
  const u64 = (value: number | bigint) => {
    at = out.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), at);
  };
  u32(ABI_VERSION);
  u32(KINDS.indexOf(job.kind));
  i32(job.src?.fd ?? -1);
  i32(job.dst?.fd ?? -1);
  u32(job.slots.length);
  u32(job.chunkBytes);
  u32((job.isRandom ? FLAG_RANDOM : 0) | (job.fixedBuffers ? FLAG_FIXED_BUFFERS : 0));
  u32(perSlot);
  u64(bufferAddress(tables.slots));
  u64(bufferAddress(tables.vectors));
  u64(job.srcOffset);
  u64(job.dstOffset);
  u64(job.rangeBytes);
  u64(job.seed);
  u64(Math.round(job.warmupMs * 1e6));
  u64(Math.round((job.timeMs ?? 0) * 1e6));
  u64(job.sizeBytes ?? 0n);
  u64(job.mostErrors);
  u64(bufferAddress(tables.result));
  u64(bufferAddress(tables.histograms));
  return out;
}

/** @returns pieces a slot, 0 where there are none. */
function checkPieces({ pieces, slots, chunkBytes }: BenchJob): number {
  if (!pieces) return 0;
  const perSlot = pieces[0]?.length ?? 0;
  const isWhole = (list: readonly MemoryRange[]) =>
    list.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0) === chunkBytes;
  if (pieces.length === slots.length && pieces.every((list) => list.length === perSlot && isWhole(list))) {
    return perSlot;
  }
  throw new RangeError("every slot needs as many pieces as the others, a chunk together");
}

function unpackResult(result: Buffer, histograms: Buffer): BenchResult {
  const field = (index: number) => result.readBigUInt64LE(index * 8);
  const transfers = (direction: number): BenchTransfers => ({
    bytes: field(RESULT.bytes + direction),
    requests: field(RESULT.requests + direction),
    latencySumNs: field(RESULT.latencySumNs + direction),
    leastNs: field(RESULT.leastNs + direction),
    mostNs: field(RESULT.mostNs + direction),
    histogram: unpackHistogram(histograms, direction * BUCKETS),
  });
  return {
    elapsedNs: field(RESULT.elapsedNs),
    transfers: { read: transfers(0), write: transfers(1) },
    shortTransfers: field(RESULT.shortTransfers),
    enters: field(RESULT.enters),
    userNs: field(RESULT.userNs),
    systemNs: field(RESULT.systemNs),
    voluntarySwitches: field(RESULT.voluntarySwitches),
    involuntarySwitches: field(RESULT.involuntarySwitches),
    fixedBuffers: field(RESULT.fixedBuffers) === 1n,
    failed: field(RESULT.failed),
    errors: unpackErrors(result),
  };
}

function unpackHistogram(histograms: Buffer, first: number): BenchBucket[] {
  const found: BenchBucket[] = [];
  for (let index = 0; index < BUCKETS; index++) {
    const count = Number(histograms.readBigUInt64LE((first + index) * 8));
    if (count > 0) found.push({ ns: leastOf(index), count });
  }
  return found;
}

/** The inverse of p2p_bench_bucket(): 1024 buckets to each power of two above the linear ones. */
function leastOf(index: number): number {
  if (index < LINEAR_BUCKETS) return index;
  const half = LINEAR_BUCKETS / 2;
  return ((index % half) + half) * 2 ** (Math.floor(index / half) - 1);
}

function unpackErrors(result: Buffer): BenchError[] {
  const entries = Array.from({ length: ERROR_ENTRIES }, (_, index) => {
    const at = (RESULT.errors + index * 2) * 8;
    const direction = DIRECTIONS[result.readUInt32LE(at + 4)] ?? "read";
    return { errno: result.readInt32LE(at), direction, count: result.readBigUInt64LE(at + 8) };
  });
  return entries.filter(({ count }) => count > 0n);
}
