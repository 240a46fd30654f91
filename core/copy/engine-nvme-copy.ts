// SPDX-License-Identifier: MIT
import type { Native, NvmeCopyFailure, NvmeCopyRun } from "../../ffi/index.ts";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { describeStatus } from "../nvme/status.ts";
import { type EngineJob, type EngineResult, type EngineRun, NOTHING_DONE } from "./engine.ts";
import { type NvmeCopyTarget, startCopyByDrive } from "./nvme-copy.ts";

const MOST_IN_FLIGHT = 64;

/** The drive itself: its Copy command moves data within the namespace, and none leave it. */
export function runNvmeCopy(native: Native, target: NvmeCopyTarget, job: EngineJob): EngineRun {
  let run: NvmeCopyRun | undefined;
  let isCancelled = false;
  const depth = Math.min(MOST_IN_FLIGHT, job.slots.length);
  const work = async (): Promise<EngineResult> => {
    const { extents, chunkBytes, bitmap } = job;
    run = await startCopyByDrive(native, target, job.src, job.dst, { extents, chunkBytes, bitmap, depth });
    if (isCancelled) run.cancel();
    const outcome = await run.done;
    if (typeof outcome !== "string") throw refusal(job, outcome);
    return { outcome, errors: [], failedChunks: 0n };
  };
  return {
    done: work(),
    progress: () => ({ ...NOTHING_DONE, bytesWritten: run?.progress().bytesDone ?? 0n }),
    depth: () => depth,
    cancel: () => {
      isCancelled = true;
      run?.cancel();
    },
  };
}

function refusal(
  { dst }: EngineJob,
  { status, srcOffset, dstOffset, lengthBytes }: NvmeCopyFailure,
): P2pdmaError {
  const what = `The drive could not copy ${lengthBytes} bytes from ${srcOffset} to ${dstOffset} of "${dst.path}"`;
  return new P2pdmaError("COPY_FAILED", ExitCode.failed, `${what}: ${describeStatus(status)}`, {
    hint: "--via auto copies through p2pmem or RAM instead",
  });
}
