// SPDX-License-Identifier: MIT
import type { CancelMode, Native } from "../../ffi/index.ts";
import { type EngineJob, type EngineResult, type EngineRun, NOTHING_DONE } from "./engine.ts";
import { runUring } from "./engine-uring.ts";
import { dropCache } from "./page-cache.ts";
import { openTargets, type PassthroughTargets } from "./passthrough.ts";

/**
 * The pump with NVMe Read and Write commands of its own, around the block layer. What the page cache holds of the
 * source is written first, and what it holds of the destination is dropped before and after. The destination's next
 * flush makes the copy durable, as with any other engine.
 */
export function runPassthrough(native: Native, targets: PassthroughTargets, job: EngineJob): EngineRun {
  let run: EngineRun | undefined;
  let cancelled: CancelMode | undefined;
  const work = async (): Promise<EngineResult> => {
    await native.flush(job.src);
    dropCache(native, job.dst);
    const { close, ...commands } = openTargets({ native }, targets);
    try {
      run = runUring(native, { ...job, commands });
      if (cancelled) run.cancel(cancelled);
      const result = await run.done;
      dropAfter(native, job, result);
      return result;
    } finally {
      close();
    }
  };
  return {
    done: work(),
    progress: () => run?.progress() ?? NOTHING_DONE,
    depth: () => run?.depth() ?? 0,
    cancel: (mode) => {
      cancelled = mode;
      run?.cancel(mode);
    },
  };
}

/** A destination that is gone has no cache either, and what it died of is the better answer. */
function dropAfter(native: Native, job: EngineJob, { outcome }: EngineResult): void {
  try {
    dropCache(native, job.dst);
  } catch (error) {
    if (outcome !== "failed" && outcome !== "cancelled") throw error;
  }
}
