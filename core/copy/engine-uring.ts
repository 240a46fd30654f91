// SPDX-License-Identifier: MIT
import { constants } from "node:os";
import { errnoName, type Native, type PumpRun, SyscallError } from "../../ffi/index.ts";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { AdaptiveDepth, depthSample } from "./adaptive-depth.ts";
import { type EngineJob, type EngineResult, type EngineRun, StuckRequestsError } from "./engine.ts";

const { ECANCELED, EILSEQ, EIO, ENOSYS, EPERM } = constants.errno;

/** The kernel, a sysctl or a container's seccomp filter forbids it. */
function noRing(result: number): P2pdmaError {
  const what = `This system does not allow io_uring (${errnoName(-result)})`;
  return new P2pdmaError("NO_IO_URING", ExitCode.failed, what, { hint: "--engine sync does without" });
}

const ADAPT_INTERVAL_MS = 100;

/** The fast engine: the C pump on a worker thread, many slots in flight. */
export function runUring(native: Native, job: EngineJob): EngineRun {
  const pump = native.startPump(job);
  const depth = job.adaptDepth ? adaptDepth(pump, job.slots.length) : () => job.slots.length;
  const finish = (result: number): EngineResult => {
    const { inFlight } = pump.progress();
    if (inFlight > 0) throw new StuckRequestsError(inFlight);
    const rest = { errors: pump.errors(), failedChunks: pump.progress().chunksFailed };
    if (result === 0) return { outcome: "done", ...rest };
    if (result === -ECANCELED) return { outcome: "cancelled", ...rest };
    if (result === -EILSEQ) return { outcome: "differs", ...rest };
    if (result === -EIO && rest.failedChunks > 0n) return { outcome: "failed", ...rest };
    if (result === -EPERM || result === -ENOSYS) throw noRing(result);
    throw new SyscallError("io_uring", -result, `${job.src.path} -> ${job.dst.path}`);
  };
  return { done: pump.done.then(finish), progress: pump.progress, depth, cancel: pump.cancel };
}

/** Sets the depth while the pump runs; answers how to ask for it. */
function adaptDepth(pump: PumpRun, slots: number): () => number {
  const controller = new AdaptiveDepth(slots);
  const adapt = () => pump.setDepth(controller.next(depthSample(performance.now(), pump.progress())));
  pump.setDepth(controller.depth);
  const timer = setInterval(adapt, ADAPT_INTERVAL_MS);
  const stop = () => clearInterval(timer);
  pump.done.then(stop, stop);
  return () => controller.depth;
}
