// SPDX-License-Identifier: MIT
import type { CompareTarget, Extent, PumpStages } from "../../ffi/index.ts";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { lendersOf } from "../p2pmem/stripe.ts";
import { type EngineResult, type EngineRun, startEngine, type Tally } from "./engine.ts";
import { runNvmeCopy } from "./engine-nvme-copy.ts";
import { runPassthrough } from "./engine-passthrough.ts";
import { chunkFailure, interrupted, lostDevices } from "./faults.ts";
import type { Files } from "./files.ts";
import { cpusBeside } from "./numa.ts";
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

/** One run of the engine over some extents. */
export interface Pass {
  readonly phase: CopyPhase;
  readonly extents: readonly Extent[];
  readonly bitmap: Buffer;
  readonly chunkBytes: number;
  readonly retries: number;
  readonly stopOnError: boolean;
  /** Never two requests at once: the block layer merges neighbours, and one bad block would fail them all. */
  readonly oneByOne?: boolean;
  readonly stages?: PumpStages;
  readonly compare?: CompareTarget | undefined;
  /** Bytes done before, and in all, for the progress. */
  readonly doneBefore: bigint;
  readonly totalBytes: bigint;
}

const PROGRESS_INTERVAL_MS = 100;
const LOOKS_PER_CHECK = 10;

/**
 * Runs the engine, watched: progress, stop requests, devices that vanish.
 * @throws P2pdmaError INTERRUPTED or STOPPED when it was told to stop
 */
export async function runPass(bench: Bench, pass: Pass): Promise<EngineResult> {
  const { plan, hooks, tally } = bench;
  const run = startRun(bench, pass);
  tally.begin(run);
  const bytesDone = () => {
    const { bytesWritten, bytesCompared } = run.progress();
    return pass.doneBefore + (pass.stages === "compare" ? bytesCompared : bytesWritten);
  };
  const isDue = lookSeldomWhileMoving();
  const report = () => {
    const { phase, totalBytes: bytesTotal } = pass;
    const done = bytesDone();
    hooks.onProgress?.({ phase, bytesDone: done, bytesTotal, depth: run.depth() });
    if (isDue(done)) abandonWhenLost(bench, run);
  };
  const ticker = setInterval(report, PROGRESS_INTERVAL_MS);
  try {
    const result = await hooks.stop.during(run, run.done);
    report();
    const isStopped = result.outcome === "cancelled" && hooks.stop.mode !== undefined;
    if (isStopped) throw interrupted(hooks.stop, plan.dst, bytesDone(), pass.totalBytes);
    return result;
  } finally {
    clearInterval(ticker);
  }
}

function startRun(bench: Bench, pass: Pass): EngineRun {
  const { env, plan, route } = bench;
  const job = engineJob(bench, pass);
  const isWithinDrive = route.copyTarget && pass.phase !== "verify";
  if (isWithinDrive) return runNvmeCopy(env.native, route.copyTarget, job);
  if (route.passthrough) return runPassthrough(env.native, route.passthrough, job);
  return startEngine(env.native, plan.request.engine, job);
}

function engineJob({ env, plan, route, files }: Bench, pass: Pass) {
  const { request, range, src, dst } = plan;
  return {
    ...files,
    ...pass,
    slots: pass.oneByOne ? route.staging.slots.slice(0, 1) : route.staging.slots,
    blockBytes: range.blockBytes,
    retryDelayMs: request.retryDelayMs,
    rateBytesPerSecond: Number(request.rate ?? 0n),
    ioPriority: request.ioPriority,
    adaptDepth: request.depth === undefined,
    cpus: cpusBeside(env.sys, [dst.device?.client, route.staging.provider?.bdf, src.device?.client]),
    fixedBuffers: route.staging.provider === undefined,
  };
}

/** Looking after the devices costs some ten system calls: at once when nothing moves, else once a second. */
function lookSeldomWhileMoving(): (bytesDone: bigint) => boolean {
  let before = -1n;
  let looks = 0;
  return (bytesDone) => {
    const isMoving = bytesDone > before;
    before = bytesDone;
    return !isMoving || looks++ % LOOKS_PER_CHECK === 0;
  };
}

/** A device that is gone fails every request: no use to try them all, with all their retries. */
function abandonWhenLost({ env, plan, route }: Bench, run: EngineRun): void {
  const { src, dst } = plan;
  if (lostDevices(env.sys, src, dst, lendersOf(route.staging)).length > 0) run.cancel("abort");
}

/** Returns only when what failed may be left behind. @throws P2pdmaError COPY_FAILED */
export function stopUnlessSkippable(
  { env, plan, route }: Bench,
  { errors, failedChunks }: EngineResult,
): void {
  const { src, dst, request } = plan;
  const lost = lostDevices(env.sys, src, dst, lendersOf(route.staging));
  // What the requests in flight died of says little then.
  if (lost.length > 0) {
    throw new P2pdmaError("COPY_FAILED", ExitCode.failed, `Cannot go on copying: ${lost.join(", ")}`);
  }
  const cause = errors.find(({ isFatal }) => isFatal) ?? errors[0];
  const what = cause ? chunkFailure(cause, src, dst) : `Cannot copy "${src.path}" to "${dst.path}"`;
  if (request.onError === "skip" && cause && !cause.isFatal) return;
  throw new P2pdmaError("COPY_FAILED", ExitCode.failed, what, {
    hint: `${failedChunks} chunks failed; the destination is incomplete`,
  });
}
