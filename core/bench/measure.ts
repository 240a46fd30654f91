// SPDX-License-Identifier: MIT
import { type BenchJob, type BenchResult, type Native, SyscallError } from "../../ffi/index.ts";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import type { DramMeter } from "./dram.ts";
import { StuckRequestsError } from "./ways.ts";

/** One run of one point. */
export interface Sample {
  readonly result: BenchResult;
  /** Read from and written to DRAM meanwhile by anybody; undefined where it can't be counted. */
  readonly dramBytes: number | undefined;
  /** All that was moved, the warm-up and what was in flight at the end included. */
  readonly allBytes: bigint;
}

/**
 * Runs one workload.
 * @throws P2pdmaError INTERRUPTED when aborted, StuckRequestsError, SyscallError
 */
export async function measure(
  native: Native,
  job: BenchJob,
  dram: DramMeter,
  abort: AbortSignal,
): Promise<Sample> {
  if (abort.aborted) throw interrupted();
  const before = dram.bytes();
  const run = native.startBench(job);
  const cancel = () => run.cancel();
  abort.addEventListener("abort", cancel, { once: true });
  try {
    const result = await run.done;
    const allBytes = run.bytesNow();
    const dramBytes = dram.missing === undefined ? dram.bytes() - before : undefined;
    return { result, allBytes, dramBytes: dramBytes && dramBytes * measuredShare(result, allBytes) };
  } catch (error) {
    if (run.inFlight() > 0)
      throw new StuckRequestsError("the kernel did not give all requests back", { cause: error });
    const isCancelled = error instanceof SyscallError && error.code === "ECANCELED";
    throw isCancelled ? interrupted() : error;
  } finally {
    abort.removeEventListener("abort", cancel);
  }
}

/** The counters also ran during the warm-up, so what they saw is cut to the measured share. */
function measuredShare({ transfers }: BenchResult, allBytes: bigint): number {
  return allBytes === 0n ? 0 : Number(transfers.read.bytes + transfers.write.bytes) / Number(allBytes);
}

function interrupted(): P2pdmaError {
  return new P2pdmaError("INTERRUPTED", ExitCode.interrupted, "Interrupted before everything was measured");
}
