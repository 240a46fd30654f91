// SPDX-License-Identifier: MIT
import type { ChunkError, Extent } from "../../ffi/index.ts";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { emptyBitmap, stretches, sumBytes } from "../journal/bitmap.ts";
import { type EngineResult, type EngineRun, startEngine, type Tally } from "./engine.ts";
import { chunkFailure, interrupted, lostDevices } from "./faults.ts";
import type { Files } from "./files.ts";
import type { CopyPlan } from "./prepare.ts";
import type { CopyEnvironment, CopyHooks, CopyPhase } from "./request.ts";
import type { Route } from "./route.ts";

/** What a copy works with once everything is open and mapped. */
export interface Bench {
  readonly env: CopyEnvironment;
  readonly plan: CopyPlan;
  readonly route: Route;
  readonly files: Files;
  readonly hooks: CopyHooks;
  readonly tally: Tally;
}

/** A stretch of the source that could not be brought over. */
export interface LostRange extends Extent {
  readonly direction: ChunkError["direction"];
  readonly errno: number;
}

interface Pass {
  readonly extents: readonly Extent[];
  readonly bitmap: Buffer;
  readonly chunkBytes: number;
  readonly retries: number;
  readonly stopOnError: boolean;
  readonly phase: CopyPhase;
  /** Bytes done before, and in all, for the progress. */
  readonly doneBefore: bigint;
  readonly totalBytes: bigint;
}

const PROGRESS_INTERVAL_MS = 100;

/**
 * Moves what the bitmap says is missing.
 * @returns what stayed behind, which is nothing unless errors are to be skipped
 * @throws P2pdmaError INTERRUPTED, STOPPED (time is up) or COPY_FAILED
 */
export async function moveData(bench: Bench, data: readonly Extent[], bitmap: Buffer): Promise<LostRange[]> {
  const { request } = bench.plan;
  const { chunkBytes, retries, onError } = request;
  const totalBytes = sumBytes(data);
  const doneBefore = sumBytes(stretches(data, chunkBytes, bitmap, true));
  const result = await runPass(bench, {
    ...{ extents: data, bitmap, chunkBytes, retries, doneBefore, totalBytes, phase: "copy" },
    stopOnError: onError === "stop",
  });
  if (result.outcome === "done") return [];
  stopUnlessSkippable(bench, result);
  return rescue(bench, stretches(data, chunkBytes, bitmap, false), result.errors);
}

/** One run of the engine, watched. */
async function runPass(bench: Bench, pass: Pass): Promise<EngineResult> {
  const { env, plan, route, files, hooks, tally } = bench;
  const { request, range } = plan;
  const run = startEngine(env.native, request.engine, {
    ...files,
    ...pass,
    slots: route.staging.slots,
    blockBytes: range.blockBytes,
    retryDelayMs: request.retryDelayMs,
    rateBytesPerSecond: Number(request.rate ?? 0n),
    ioPriority: request.ioPriority,
    fixedBuffers: route.via === "ram",
  });
  tally.begin(run);
  const report = () => {
    const bytesDone = pass.doneBefore + run.progress().bytesWritten;
    hooks.onProgress?.({ phase: pass.phase, bytesDone, bytesTotal: pass.totalBytes, depth: route.depth });
    abandonWhenLost(bench, run);
  };
  const ticker = setInterval(report, PROGRESS_INTERVAL_MS);
  try {
    const result = await hooks.stop.during(run, run.done);
    report();
    if (result.outcome === "cancelled" && hooks.stop.mode) {
      const bytesDone = pass.doneBefore + run.progress().bytesWritten;
      throw interrupted(hooks.stop, plan.dst, bytesDone, pass.totalBytes);
    }
    return result;
  } finally {
    clearInterval(ticker);
  }
}

/** A device that is gone fails every request: no use to try them all, with all their retries. */
function abandonWhenLost({ env, plan, route }: Bench, run: EngineRun): void {
  const { src, dst } = plan;
  if (lostDevices(env.sys, src, dst, route.staging.provider).length > 0) run.cancel("abort");
}

function stopUnlessSkippable({ env, plan, route }: Bench, { errors, failedChunks }: EngineResult): void {
  const { src, dst, request } = plan;
  const lost = lostDevices(env.sys, src, dst, route.staging.provider);
  const cause = errors.find(({ isFatal }) => isFatal) ?? errors[0];
  const what = cause ? chunkFailure(cause, src, dst) : `Cannot copy "${src.path}" to "${dst.path}"`;
  if (lost.length > 0) {
    throw new P2pdmaError("COPY_FAILED", ExitCode.failed, `${what}: ${lost.join(", ")}`);
  }
  if (request.onError === "skip" && cause && !cause.isFatal) return;
  throw new P2pdmaError("COPY_FAILED", ExitCode.failed, what, {
    hint: `${failedChunks} chunks failed; the destination is incomplete`,
  });
}

const SHRINK = 8;

/**
 * Goes over what failed with ever smaller requests, down to one block (an LBA), as ddrescue does:
 * what lies between the bad blocks comes over, and what is left is known exactly.
 */
async function rescue(
  bench: Bench,
  failed: readonly Extent[],
  errors: readonly ChunkError[],
): Promise<LostRange[]> {
  const { chunkBytes } = bench.plan.request;
  const { blockBytes } = bench.plan.range;
  const totalBytes = sumBytes(failed);
  let left = failed;
  let causes = errors;
  for (let size = chunkBytes; size > blockBytes && left.length > 0; ) {
    size = Math.max(blockBytes, Math.floor(size / SHRINK / blockBytes) * blockBytes);
    const bitmap = emptyBitmap(left, size);
    const result = await runPass(bench, {
      ...{ extents: left, bitmap, chunkBytes: size, stopOnError: false, phase: "rescue", totalBytes },
      doneBefore: totalBytes - sumBytes(left),
      retries: size === blockBytes ? Math.min(1, bench.plan.request.retries) : 0,
    });
    if (result.outcome !== "done") stopUnlessSkippable(bench, result);
    left = stretches(left, size, bitmap, false);
    causes = result.errors;
  }
  return left.map((range) => ({ ...range, ...causeOf(range, causes) }));
}

/** The log of errors is bounded; what has no record of its own failed like the last one that has. */
function causeOf(range: Extent, causes: readonly ChunkError[]): Pick<LostRange, "direction" | "errno"> {
  const end = range.srcOffset + range.lengthBytes;
  const own = causes.find(({ srcOffset }) => srcOffset >= range.srcOffset && srcOffset < end);
  const { direction, errno } = own ?? causes.at(-1) ?? { direction: "read", errno: 0 };
  return { direction, errno };
}
