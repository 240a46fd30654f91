// SPDX-License-Identifier: MIT
import { setImmediate } from "node:timers/promises";
import { type CancelMode, type ChunkError, type Extent, type Native, SyscallError } from "../../ffi/index.ts";
import type { EngineJob, EngineProgress, EngineResult, EngineRun } from "./engine.ts";

const ENODATA = 61;
/** These say "never", so asking again is no use. */
const FINAL = ["EREMOTEIO", "EINVAL"];

/**
 * The reference engine: one chunk at a time with plain pread and pwrite. It is
 * what the pump is tested against, and what remains where io_uring is forbidden.
 */
export function runSync(native: Native, job: EngineJob): EngineRun {
  const progress = { bytesRead: 0n, bytesWritten: 0n, retries: 0n, shortTransfers: 0n, enters: 0n };
  let cancelled: CancelMode | undefined;
  return {
    done: pumpChunks(native, job, progress, () => cancelled !== undefined),
    progress: () => ({ ...progress }),
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
  let index = 0n;
  for (const chunk of chunksOf(job.extents, BigInt(job.chunkBytes))) {
    if (isCancelled()) return { outcome: "cancelled", errors: [], failedChunks: 0n };
    const error = copyChunk(native, job, chunk, index, counters);
    if (error) return { outcome: "failed", errors: [error], failedChunks: 1n };
    index++;
    await setImmediate();
  }
  return { outcome: "done", errors: [], failedChunks: 0n };
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

function copyChunk(
  native: Native,
  job: EngineJob,
  chunk: Extent,
  index: bigint,
  counters: Counters,
): ChunkError | undefined {
  const [slot] = job.slots;
  if (!slot) throw new RangeError("the sync engine needs a staging slot");
  const part = { ...slot, lengthBytes: Number(chunk.lengthBytes) };
  const read = attempt(job.retries, counters, () => {
    const got = native.readFully(job.src, part, chunk.srcOffset);
    if (got < part.lengthBytes) throw new SourceEndedError("pread", ENODATA, job.src.path);
  });
  if (read) return { ...chunk, ...read, chunk: index, direction: "read" };
  counters.bytesRead += chunk.lengthBytes;
  const write = attempt(job.retries, counters, () => native.writeFully(job.dst, part, chunk.dstOffset));
  if (write) return { ...chunk, ...write, chunk: index, direction: "write" };
  counters.bytesWritten += chunk.lengthBytes;
  return undefined;
}

function attempt(
  retries: number,
  counters: Counters,
  action: () => void,
): Pick<ChunkError, "errno" | "attempts" | "madeNoProgress"> | undefined {
  for (let attempts = 1; ; attempts++) {
    try {
      action();
      return undefined;
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      const madeNoProgress = error instanceof SourceEndedError;
      if (madeNoProgress || attempts > retries || FINAL.includes(error.code)) {
        return { errno: error.errno, attempts, madeNoProgress };
      }
      counters.retries++;
    }
  }
}
