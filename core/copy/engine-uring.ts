// SPDX-License-Identifier: MIT
import { constants } from "node:os";
import { type Native, SyscallError } from "../../ffi/index.ts";
import { type EngineJob, type EngineResult, type EngineRun, StuckRequestsError } from "./engine.ts";

const { ECANCELED, EILSEQ, EIO } = constants.errno;

/** The fast engine: the C pump on a worker thread, many slots in flight. */
export function runUring(native: Native, job: EngineJob): EngineRun {
  const pump = native.startPump(job);
  const finish = (result: number): EngineResult => {
    const { inFlight } = pump.progress();
    if (inFlight > 0) throw new StuckRequestsError(inFlight);
    const rest = { errors: pump.errors(), failedChunks: pump.progress().chunksFailed };
    if (result === 0) return { outcome: "done", ...rest };
    if (result === -ECANCELED) return { outcome: "cancelled", ...rest };
    if (result === -EILSEQ) return { outcome: "differs", ...rest };
    if (result === -EIO && rest.failedChunks > 0n) return { outcome: "failed", ...rest };
    throw new SyscallError("io_uring", -result, `${job.src.path} -> ${job.dst.path}`);
  };
  return { done: pump.done.then(finish), progress: pump.progress, cancel: pump.cancel };
}
