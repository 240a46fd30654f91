// SPDX-License-Identifier: MIT
import type { CancelMode, ChunkError, Native, PumpJob } from "../../ffi/index.ts";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { runSync } from "./engine-sync.ts";
import { runUring } from "./engine-uring.ts";

/** passthrough: the pump with NVMe commands of its own; the route must have targets for it. */
export type EngineName = "uring" | "sync" | "passthrough";

/** RAM may be registered with the kernel (`fixedBuffers`), p2pmem may not. */
export interface EngineJob extends PumpJob {
  /** Let the number of chunks in work follow what the devices can use; else all slots are in use. */
  readonly adaptDepth?: boolean;
}

export interface EngineProgress {
  readonly bytesRead: bigint;
  readonly bytesWritten: bigint;
  readonly bytesCompared: bigint;
  readonly retries: bigint;
  readonly shortTransfers: bigint;
  /** io_uring_enter calls; 0 for the sync engine. */
  readonly enters: bigint;
}

/** How it ended. All I/O is over by then. */
export interface EngineResult {
  readonly outcome: "done" | "failed" | "differs" | "cancelled";
  readonly errors: readonly ChunkError[];
  readonly failedChunks: bigint;
}

/** Some requests never came back from the kernel: their slots must stay mapped until the process ends. */
export class StuckRequestsError extends P2pdmaError {
  constructor(inFlight: number) {
    super("COPY_FAILED", ExitCode.failed, `io_uring broke down with ${inFlight} requests in flight`);
  }
}

export interface EngineRun {
  readonly done: Promise<EngineResult>;
  progress(): EngineProgress;
  /** Most chunks in work, now. */
  depth(): number;
  cancel(mode: CancelMode): void;
}

/** Starts moving the chunks whose bits are clear, and sets each bit when its write has completed. */
export function startEngine(native: Native, name: EngineName, job: EngineJob): EngineRun {
  return name === "sync" ? runSync(native, job) : runUring(native, job);
}

export const NOTHING_DONE: EngineProgress = {
  ...{ bytesRead: 0n, bytesWritten: 0n, bytesCompared: 0n, retries: 0n, shortTransfers: 0n, enters: 0n },
};

/** Counts over several runs, the one at work included. */
export class Tally {
  #before = NOTHING_DONE;
  #run: EngineRun | undefined;

  begin(run: EngineRun): void {
    this.#before = this.total();
    this.#run = run;
  }

  /** Chunks in work at most, as it is now or was at the end. */
  depth(): number {
    return this.#run?.depth() ?? 0;
  }

  total(): EngineProgress {
    const now = this.#run?.progress() ?? NOTHING_DONE;
    const before = this.#before;
    return {
      bytesRead: before.bytesRead + now.bytesRead,
      bytesWritten: before.bytesWritten + now.bytesWritten,
      bytesCompared: before.bytesCompared + now.bytesCompared,
      retries: before.retries + now.retries,
      shortTransfers: before.shortTransfers + now.shortTransfers,
      enters: before.enters + now.enters,
    };
  }
}
