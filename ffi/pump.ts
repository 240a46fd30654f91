// SPDX-License-Identifier: MIT
import type { OpenFile } from "./files.ts";
import { ABI_VERSION, bufferAddress, helperCall, helperCallAsync } from "./load.ts";
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
  /** Before the second try; doubles with each further one, up to 5 s or this where it is more. */
  readonly retryDelayMs: number;
  /** Of reads and writes, as ioprio_set(2) has it (class << 13 | level); 0: the thread's. */
  readonly ioPriority: number;
  /** Limit on what is started; 0: none. See setRate(). */
  readonly rateBytesPerSecond: number;
  /** "copy" when left out. */
  readonly stages?: PumpStages | undefined;
  /** Needed where `stages` compare. */
  readonly compare?: CompareTarget | undefined;
  /**
   * Read and write as NVMe commands to these, instead of through the block layer: `src` and `dst` are not touched then,
   * and what the page cache holds of them is the caller's business. EOPNOTSUPP before Linux 5.19; before 6.7 a command
   * that the kernel could not send may look like one that succeeded.
   */
  readonly commands?: { readonly read: NamespaceTarget; readonly write: NamespaceTarget } | undefined;
  /** Where the pump's thread may run, of those CPUs where it may anyway; all of them when left out or empty. */
  readonly cpus?: readonly number[] | undefined;
  /** Try to register the slots; p2pmem can't be, so leave it off there. */
  readonly fixedBuffers: boolean;
  /** Start nothing new after the first chunk that failed or differs. After a fatal error nothing is started anyway. */
  readonly stopOnError: boolean;
}

/**
 * copy: READ, WRITE. copy+compare: READ, WRITE, COMPARE. compare: READ, COMPARE, nothing is written.
 * A comparison is made by the drive, with what it would answer to a read: its cache or its medium, so flush first
 * where that matters.
 */
export type PumpStages = "copy" | "copy+compare" | "compare";

/** One end as NVMe commands see it: a namespace without metadata. */
export interface NamespaceTarget {
  /** The namespace's character device, `/dev/ngXnY`. */
  readonly file: OpenFile;
  readonly nsid: number;
  readonly lbaBytes: number;
  /** Where the end begins in the namespace: 0, or the start of the partition. */
  readonly baseBytes: bigint;
  /** Most that one command may carry (MDTS): a multiple of `lbaBytes`, at most 65536 LBAs. A read or write carries a chunk. */
  readonly maxBytes: number;
}

/** The destination, for its drive's Compare command. */
export interface CompareTarget extends NamespaceTarget {
  /** Compare by ioctl, one command at a time, also where io_uring could. */
  readonly viaIoctl?: boolean | undefined;
}

/**
 * A chunk that failed for good; or, with direction "compare" and EILSEQ, a run of LBAs that differ: offsets and length
 * are the run's then, and a chunk may have several.
 */
export interface ChunkError {
  readonly chunk: bigint;
  readonly srcOffset: bigint;
  readonly dstOffset: bigint;
  readonly lengthBytes: bigint;
  readonly errno: number;
  readonly direction: "read" | "write" | "compare";
  readonly attempts: number;
  /** The transfer could not be continued: the source ended early, or the destination took nothing more. */
  readonly madeNoProgress: boolean;
  /** It would meet every other chunk, too, so nothing new was started after it. */
  readonly isFatal: boolean;
  /** The run goes from where a difference was seen to the chunk's end; not all of it need differ. */
  readonly isRough?: boolean;
}

/** Requests that ended in one direction, and the time they took together. */
export interface Latency {
  readonly requests: bigint;
  readonly sumNs: bigint;
}

export interface PumpProgress {
  readonly bytesRead: bigint;
  readonly bytesWritten: bigint;
  readonly bytesCompared: bigint;
  readonly chunksDone: bigint;
  readonly chunksFailed: bigint;
  /** Not among the failed ones; their bits stay clear. */
  readonly chunksDiffering: bigint;
  /** For another try, now. */
  readonly chunksWaiting: number;
  readonly retries: bigint;
  readonly shortTransfers: bigint;
  /** Requests the kernel still holds. Above 0 after the end only when the ring broke: the slots must stay mapped then. */
  readonly inFlight: number;
  readonly maxInFlight: number;
  readonly enters: bigint;
  readonly fixedBuffers: boolean;
  /** Comparisons go by ioctl, one at a time: asked for, or the kernel has no NVMe commands over io_uring. */
  readonly comparesByIoctl: boolean;
  readonly latency: Readonly<Record<"read" | "write" | "compare", Latency>>;
}

/** drain: write what was read, read nothing new. abort: start nothing new at all. */
export type CancelMode = "drain" | "abort";

export interface PumpRun {
  /**
   * Resolves when all I/O has ended: 0, or a negative errno (-EIO: chunks failed, see errors; -EILSEQ: none failed, some
   * differ; -ECANCELED: cancelled).
   */
  readonly done: Promise<number>;
  progress(): PumpProgress;
  errors(): ChunkError[];
  cancel(mode: CancelMode): void;
  /** Chunks in work at most, heard within 0.1 s; 0: as many as slots. Those in work come to their end. */
  setDepth(slots: number): void;
  /** Bytes started a second, heard within 0.1 s; 0: no limit. */
  setRate(bytesPerSecond: number): void;
}

const JOB_BYTES = 200;
const EXTENT_BYTES = 24;
const ERROR_BYTES = 48;
const ERROR_CAPACITY = 1024;
const STATUS_FIELDS = 25;
const FLAG_FIXED_BUFFERS = 1;
const FLAG_STOP_ON_ERROR = 2;
const FLAG_COMPARE_IOCTL = 4;
const ERROR_NO_PROGRESS = 1;
const ERROR_FATAL = 2;
const ERROR_ROUGH = 4;
const CANCEL = { drain: 1n, abort: 2n } as const;
const STAGES = { copy: 0, "copy+compare": 1, compare: 2 } as const;
const DIRECTIONS = ["read", "write", "compare"] as const;

/** Index of each 64-bit field of struct p2p_pump_status. */
const STATUS = {
  bytesRead: 0,
  bytesWritten: 1,
  bytesCompared: 2,
  chunksDone: 3,
  chunksFailed: 4,
  chunksDiffering: 5,
  chunksWaiting: 6,
  retries: 7,
  shortTransfers: 8,
  inFlight: 9,
  maxInFlight: 10,
  enters: 11,
  errorsLogged: 12,
  fixedBuffers: 13,
  comparesByIoctl: 15,
  latencyNs: 16,
  requests: 19,
  cancel: 22,
  rate: 23,
  depthLimit: 24,
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
  const tables = { status, log, slots: packSlots(job), extents: packExtents(job), cpus: packCpus(job) };
  const packed = packJob(job, tables);
  const setField = (index: number, value: bigint) => void status.writeBigUInt64LE(value, index * 8);
  const setRate = (bytesPerSecond: number) => setField(STATUS.rate, BigInt(Math.round(bytesPerSecond)));
  const latency = (direction: number) => ({
    requests: field(STATUS.requests + direction),
    sumNs: field(STATUS.latencyNs + direction),
  });
  setRate(job.rateBytesPerSecond);

  return {
    done: helperCallAsync("p2p_pump_run", { job, tables }, packed),
    progress: () => ({
      bytesRead: field(STATUS.bytesRead),
      bytesWritten: field(STATUS.bytesWritten),
      bytesCompared: field(STATUS.bytesCompared),
      chunksDone: field(STATUS.chunksDone),
      chunksFailed: field(STATUS.chunksFailed),
      chunksDiffering: field(STATUS.chunksDiffering),
      chunksWaiting: Number(field(STATUS.chunksWaiting)),
      retries: field(STATUS.retries),
      shortTransfers: field(STATUS.shortTransfers),
      inFlight: Number(field(STATUS.inFlight)),
      maxInFlight: Number(field(STATUS.maxInFlight)),
      enters: field(STATUS.enters),
      fixedBuffers: field(STATUS.fixedBuffers) === 1n,
      comparesByIoctl: field(STATUS.comparesByIoctl) === 1n,
      latency: { read: latency(0), write: latency(1), compare: latency(2) },
    }),
    errors: () => unpackErrors(log, Number(field(STATUS.errorsLogged))),
    cancel: (mode) => setField(STATUS.cancel, CANCEL[mode]),
    setDepth: (slots) => setField(STATUS.depthLimit, BigInt(slots)),
    setRate,
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

/** Bit n of byte n / 8: CPU n. */
function packCpus({ cpus = [] }: PumpJob): Buffer {
  const out = Buffer.alloc(cpus.length > 0 ? Math.floor(Math.max(...cpus) / 8) + 1 : 0);
  for (const cpu of cpus) out[cpu >> 3] = (out[cpu >> 3] ?? 0) | (1 << (cpu & 7));
  return out;
}

function packJob(
  job: PumpJob,
  tables: { status: Buffer; log: Buffer; slots: Buffer; extents: Buffer; cpus: Buffer },
): Buffer {
  const out = Buffer.alloc(JOB_BYTES);
  let at = 0;
  const u32 = (value: number) => {
    at = out.writeUInt32LE(value, at);
  };
  const u64 = (value: number | bigint) => {
    at = out.writeBigUInt64LE(BigInt(value), at);
  };
  const namespace = (target: NamespaceTarget | undefined) => {
    for (const value of [target?.file.fd, target?.nsid, target?.lbaBytes, target?.maxBytes]) u32(value ?? 0);
    u64(target?.baseBytes ?? 0n);
  };
  u32(ABI_VERSION);
  u32(packFlags(job));
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
  u32(STAGES[job.stages ?? "copy"]);
  u32(job.retryDelayMs);
  u32(job.ioPriority);
  u32(0);
  u64(bufferAddress(tables.cpus));
  u64(tables.cpus.length);
  for (const target of [job.commands?.read, job.commands?.write, job.compare]) namespace(target);
  return out;
}

function packFlags(job: PumpJob): number {
  const fixed = job.fixedBuffers ? FLAG_FIXED_BUFFERS : 0;
  const stop = job.stopOnError ? FLAG_STOP_ON_ERROR : 0;
  return fixed | stop | (job.compare?.viaIoctl ? FLAG_COMPARE_IOCTL : 0);
}

function unpackErrors(log: Buffer, count: number): ChunkError[] {
  return Array.from({ length: count }, (_, index) => {
    const at = index * ERROR_BYTES;
    const flags = log.readUInt32LE(at + 44);
    return {
      chunk: log.readBigUInt64LE(at),
      srcOffset: log.readBigUInt64LE(at + 8),
      dstOffset: log.readBigUInt64LE(at + 16),
      lengthBytes: log.readBigUInt64LE(at + 24),
      errno: log.readInt32LE(at + 32),
      direction: DIRECTIONS[log.readUInt32LE(at + 36)] ?? "read",
      attempts: log.readUInt32LE(at + 40),
      madeNoProgress: (flags & ERROR_NO_PROGRESS) !== 0,
      isFatal: (flags & ERROR_FATAL) !== 0,
      isRough: (flags & ERROR_ROUGH) !== 0,
    };
  });
}
