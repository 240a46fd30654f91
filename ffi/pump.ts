// SPDX-License-Identifier: MIT
import type { OpenFile } from "./files.ts";
import { bufferAddress, helperCall, helperCallAsync } from "./load.ts";
import { type MemoryRange, rangeAddress } from "./memory.ts";

/** One piece of a copy, in bytes; offsets and length are multiples of both block sizes. */
export interface Extent {
  readonly srcOffset: bigint;
  readonly dstOffset: bigint;
  readonly lengthBytes: bigint;
}

export interface PumpJob {
  readonly src: OpenFile;
  readonly dst: OpenFile;
  /** Staging slots, each `chunkBytes` long; their number is the queue depth. */
  readonly slots: readonly MemoryRange[];
  readonly extents: readonly Extent[];
  /**
   * At least `bitmapBytes()` long, ordinary memory. Bit n % 8 of byte n / 8 says that chunk n is on the destination
   * (not yet flushed): chunks whose bit is set on entry are skipped, the pump sets the others while it runs.
   */
  readonly bitmap: Buffer;
  readonly chunkBytes: number;
  /** The larger of the two sides' block sizes, in bytes. */
  readonly blockBytes: number;
  /** Extra tries for a chunk in each direction. */
  readonly retries: number;
  /** Try to register the slots; p2pmem can't be, so leave it off there. */
  readonly fixedBuffers: boolean;
  readonly stopOnError: boolean;
}

/** A chunk that failed for good. */
export interface ChunkError {
  readonly chunk: bigint;
  readonly srcOffset: bigint;
  readonly dstOffset: bigint;
  readonly lengthBytes: bigint;
  readonly errno: number;
  readonly direction: "read" | "write";
  readonly attempts: number;
  /** The transfer could not be continued: the source ended early, or the destination took nothing more. */
  readonly madeNoProgress: boolean;
}

export interface PumpProgress {
  readonly bytesRead: bigint;
  readonly bytesWritten: bigint;
  readonly chunksDone: bigint;
  readonly chunksFailed: bigint;
  readonly retries: bigint;
  readonly shortTransfers: bigint;
  /** Requests the kernel still holds. Above 0 after the end only when the ring broke: the slots must stay mapped then. */
  readonly inFlight: number;
  readonly maxInFlight: number;
  readonly enters: bigint;
  readonly fixedBuffers: boolean;
}

/** drain: write what was read, read nothing new. abort: start nothing new at all. */
export type CancelMode = "drain" | "abort";

export interface PumpRun {
  /** Resolves to 0 or a negative errno (-EIO: see errors, -ECANCELED: cancelled) when all I/O has ended. */
  readonly done: Promise<number>;
  progress(): PumpProgress;
  errors(): ChunkError[];
  cancel(mode: CancelMode): void;
}

const ABI_VERSION = 2;
const JOB_BYTES = 96;
const EXTENT_BYTES = 24;
const ERROR_BYTES = 48;
const ERROR_CAPACITY = 1024;
const STATUS_FIELDS = 13;
const FLAG_FIXED_BUFFERS = 1;
const FLAG_STOP_ON_ERROR = 2;
const ERROR_NO_PROGRESS = 1;
const CANCEL = { drain: 1n, abort: 2n } as const;

/** Index of each 64-bit field of struct p2p_pump_status. */
const STATUS = {
  bytesRead: 0,
  bytesWritten: 1,
  chunksDone: 2,
  chunksFailed: 3,
  retries: 4,
  shortTransfers: 5,
  inFlight: 6,
  maxInFlight: 7,
  enters: 8,
  errorsLogged: 9,
  fixedBuffers: 10,
  cancel: 12,
} as const;

/** Number of chunks in a job: every extent starts a new one, and its last may be short. */
export function chunkCount(extents: readonly Extent[], chunkBytes: number): bigint {
  const chunk = BigInt(chunkBytes);
  return extents.reduce((sum, extent) => sum + (extent.lengthBytes + chunk - 1n) / chunk, 0n);
}

/** Size of a job's bitmap in bytes. */
export function bitmapBytes(extents: readonly Extent[], chunkBytes: number): number {
  return Number((chunkCount(extents, chunkBytes) + 7n) / 8n);
}

/** Starts the io_uring pump on a worker thread. One native call, however many chunks. */
export function startPump(job: PumpJob): PumpRun {
  const status = Buffer.alloc(STATUS_FIELDS * 8);
  const log = Buffer.alloc(ERROR_CAPACITY * ERROR_BYTES);
  const field = (index: number) => status.readBigUInt64LE(index * 8);
  const tables = { status, log, slots: packSlots(job), extents: packExtents(job) };
  const packed = packJob(job, tables);
  const keepAlive = { job, tables, packed };

  return {
    done: helperCallAsync("p2p_pump_run", bufferAddress(packed)).finally(() => void keepAlive),
    progress: () => ({
      bytesRead: field(STATUS.bytesRead),
      bytesWritten: field(STATUS.bytesWritten),
      chunksDone: field(STATUS.chunksDone),
      chunksFailed: field(STATUS.chunksFailed),
      retries: field(STATUS.retries),
      shortTransfers: field(STATUS.shortTransfers),
      inFlight: Number(field(STATUS.inFlight)),
      maxInFlight: Number(field(STATUS.maxInFlight)),
      enters: field(STATUS.enters),
      fixedBuffers: field(STATUS.fixedBuffers) === 1n,
    }),
    errors: () => unpackErrors(log, Number(field(STATUS.errorsLogged))),
    cancel: (mode) => void status.writeBigUInt64LE(CANCEL[mode], STATUS.cancel * 8),
  };
}

export interface TailJob {
  readonly src: OpenFile;
  readonly dst: OpenFile;
  readonly srcOffset: bigint;
  readonly dstOffset: bigint;
  /** Less than a block of the larger side. */
  readonly lengthBytes: number;
  readonly srcBlockBytes: number;
  readonly dstBlockBytes: number;
  readonly srcSlot: MemoryRange;
  readonly dstSlot: MemoryRange;
}

/** Copies the end of a range that ends inside a block, keeping what follows it on the destination. */
export function copyTail(job: TailJob): void {
  helperCall(
    "p2p_copy_tail",
    `${job.src.path} -> ${job.dst.path}`,
    job.src.fd,
    job.dst.fd,
    job.srcOffset,
    job.dstOffset,
    job.lengthBytes,
    job.srcBlockBytes,
    job.dstBlockBytes,
    rangeAddress(job.srcSlot),
    rangeAddress(job.dstSlot),
  );
}

function packSlots(job: PumpJob): Buffer {
  const out = Buffer.alloc(job.slots.length * 8);
  for (const [index, slot] of job.slots.entries()) {
    if (slot.lengthBytes < job.chunkBytes) throw new RangeError("a staging slot is shorter than a chunk");
    out.writeBigUInt64LE(BigInt(rangeAddress(slot)), index * 8);
  }
  return out;
}

function packExtents(job: PumpJob): Buffer {
  const out = Buffer.alloc(Math.max(1, job.extents.length) * EXTENT_BYTES);
  for (const [index, extent] of job.extents.entries()) {
    out.writeBigUInt64LE(extent.srcOffset, index * EXTENT_BYTES);
    out.writeBigUInt64LE(extent.dstOffset, index * EXTENT_BYTES + 8);
    out.writeBigUInt64LE(extent.lengthBytes, index * EXTENT_BYTES + 16);
  }
  return out;
}

function packJob(
  job: PumpJob,
  tables: { status: Buffer; log: Buffer; slots: Buffer; extents: Buffer },
): Buffer {
  const out = Buffer.alloc(JOB_BYTES);
  const flags = (job.fixedBuffers ? FLAG_FIXED_BUFFERS : 0) | (job.stopOnError ? FLAG_STOP_ON_ERROR : 0);
  let at = 0;
  const u32 = (value: number) => {
    at = out.writeUInt32LE(value, at);
  };
  const u64 = (value: number) => {
    at = out.writeBigUInt64LE(BigInt(value), at);
  };
  u32(ABI_VERSION);
  u32(flags);
  u32(job.src.fd);
  u32(job.dst.fd);
  u32(job.slots.length);
  u32(job.chunkBytes);
  u32(job.blockBytes);
  u32(job.retries);
  u64(bufferAddress(tables.slots));
  u64(bufferAddress(tables.extents));
  u64(job.extents.length);
  u64(bufferAddress(job.bitmap));
  u64(job.bitmap.length);
  u64(bufferAddress(tables.log));
  u64(ERROR_CAPACITY);
  u64(bufferAddress(tables.status));
  return out;
}

function unpackErrors(log: Buffer, count: number): ChunkError[] {
  return Array.from({ length: count }, (_, index) => {
    const at = index * ERROR_BYTES;
    return {
      chunk: log.readBigUInt64LE(at),
      srcOffset: log.readBigUInt64LE(at + 8),
      dstOffset: log.readBigUInt64LE(at + 16),
      lengthBytes: log.readBigUInt64LE(at + 24),
      errno: log.readInt32LE(at + 32),
      direction: log.readUInt32LE(at + 36) === 0 ? "read" : "write",
      attempts: log.readUInt32LE(at + 40),
      madeNoProgress: (log.readUInt32LE(at + 44) & ERROR_NO_PROGRESS) !== 0,
    };
  });
}
