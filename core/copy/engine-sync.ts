// SPDX-License-Identifier: MIT
import { setImmediate, setTimeout } from "node:timers/promises";
import { type CancelMode, type ChunkError, type Extent, type Native, SyscallError } from "../../ffi/index.ts";
import type { EngineJob, EngineProgress, EngineResult, EngineRun } from "./engine.ts";

const ENODATA = 61;
/** These say "never", so asking again, or for another chunk, is no use. */
const FATAL = [
  ...["EREMOTEIO", "EINVAL", "EFAULT", "EBADF", "ENODEV", "ENXIO", "ENOMEDIUM", "ENOSPC", "EDQUOT", "EFBIG"],
  ...["EROFS", "EACCES", "EPERM", "EISDIR", "ESPIPE", "ENOTSUP", "ENOTTY"],
];

/**
 * The reference engine: one chunk at a time with plain pread and pwrite. It is
 * what the pump is tested against, and what remains where io_uring is forbidden.
 */
export function runSync(native: Native, job: EngineJob): EngineRun {
  const progress = {
    ...{ bytesRead: 0n, bytesWritten: 0n, bytesCompared: 0n, retries: 0n, shortTransfers: 0n, enters: 0n },
  };
  let cancelled: CancelMode | undefined;
  return {
    done: pumpChunks(native, job, progress, () => cancelled !== undefined),
    progress: () => ({ ...progress }),
    depth: () => 1,
    cancel: (mode) => {
      cancelled = mode;
    },
  };
}

/** Not the medium error of the same errno. */
class SourceEndedError extends SyscallError {}

type Counters = { -readonly [key in keyof EngineProgress]: EngineProgress[key] };

async function pumpChunks(
  native: Native,
  job: EngineJob,
  counters: Counters,
  isCancelled: () => boolean,
): Promise<EngineResult> {
  const errors: ChunkError[] = [];
  const started = performance.now();
  let index = -1;
  for (const chunk of chunksOf(job.extents, BigInt(job.chunkBytes))) {
    index++;
    const byte = Math.floor(index / 8);
    const bit = 1 << (index % 8);
    if ((job.bitmap[byte] ?? 0) & bit) continue;
    if (isCancelled()) return { outcome: "cancelled", errors, failedChunks: BigInt(errors.length) };
    const error = await copyChunk(native, job, chunk, BigInt(index), counters, isCancelled);
    if (error) errors.push(error);
    else job.bitmap[byte] = (job.bitmap[byte] ?? 0) | bit;
    if (error && (job.stopOnError || error.isFatal)) break;
    await pace(job, counters, started, isCancelled);
  }
  return {
    outcome: errors.length > 0 ? "failed" : "done",
    errors,
    failedChunks: BigInt(errors.length),
  };
}

const PACE_STEP_MS = 50;

/** Waits until the rate allows the next chunk, and lets signals be heard. */
async function pace(
  { rateBytesPerSecond: rate = 0 }: EngineJob,
  { bytesWritten }: Counters,
  started: number,
  isCancelled: () => boolean,
): Promise<void> {
  const due = rate === 0 ? 0 : started + (Number(bytesWritten) / rate) * 1000;
  await setImmediate();
  await waitUntil(due, isCancelled);
}

async function waitUntil(due: number, isCancelled: () => boolean): Promise<void> {
  while (performance.now() < due && !isCancelled()) {
    await setTimeout(Math.min(PACE_STEP_MS, due - performance.now()));
  }
}

function* chunksOf(extents: readonly Extent[], chunkBytes: bigint): Generator<Extent> {
  for (const extent of extents) {
    for (let at = 0n; at < extent.lengthBytes; at += chunkBytes) {
      const left = extent.lengthBytes - at;
      const lengthBytes = left < chunkBytes ? left : chunkBytes;
      yield { srcOffset: extent.srcOffset + at, dstOffset: extent.dstOffset + at, lengthBytes };
    }
  }
}

async function copyChunk(
  native: Native,
  job: EngineJob,
  chunk: Extent,
  index: bigint,
  counters: Counters,
  isCancelled: () => boolean,
): Promise<ChunkError | undefined> {
  const [slot] = job.slots;
  if (!slot) throw new RangeError("the sync engine needs a staging slot");
  const part = { ...slot, lengthBytes: Number(chunk.lengthBytes) };
  const read = await attempt(job, counters, isCancelled, () => {
    const got = native.readFully(job.src, part, chunk.srcOffset);
    if (got < part.lengthBytes) throw new SourceEndedError("pread", ENODATA, job.src.path);
  });
  if (read) return { ...chunk, ...read, chunk: index, direction: "read", isRough: false };
  counters.bytesRead += chunk.lengthBytes;
  const write = await attempt(job, counters, isCancelled, () =>
    native.writeFully(job.dst, part, chunk.dstOffset),
  );
  if (write) return { ...chunk, ...write, chunk: index, direction: "write", isRough: false };
  counters.bytesWritten += chunk.lengthBytes;
  return undefined;
}

const LONGEST_DELAY_MS = 5000;

async function attempt(
  { retries, retryDelayMs = 0 }: EngineJob,
  counters: Counters,
  isCancelled: () => boolean,
  action: () => void,
): Promise<Pick<ChunkError, "errno" | "attempts" | "madeNoProgress" | "isFatal"> | undefined> {
  for (let attempts = 1; ; attempts++) {
    try {
      action();
      return undefined;
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      const madeNoProgress = error instanceof SourceEndedError;
      const isFatal = madeNoProgress || FATAL.includes(error.code);
      if (isFatal || attempts > retries || isCancelled()) {
        return { errno: error.errno, attempts, madeNoProgress, isFatal };
      }
      counters.retries++;
      const delayMs = Math.min(LONGEST_DELAY_MS, retryDelayMs * 2 ** (attempts - 1));
      await waitUntil(performance.now() + delayMs, isCancelled);
    }
  }
}
