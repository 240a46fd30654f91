// SPDX-License-Identifier: MIT
import type { ChunkError, CompareTarget, Extent } from "../../ffi/index.ts";
import { emptyBitmap, stretches, sumBytes } from "../journal/bitmap.ts";
import { type Bench, runPass, stopUnlessSkippable } from "./pass.ts";

/** A stretch of the source that could not be brought over. */
export interface LostRange extends Extent {
  readonly direction: ChunkError["direction"];
  readonly errno: number;
}

/** What came of moving the data. */
export interface Moved {
  /** Nothing unless errors are to be skipped. */
  readonly lost: readonly LostRange[];
  /** What the drive found to differ right after it was written. */
  readonly differing: readonly ChunkError[];
}

/**
 * Moves what the bitmap says is missing.
 * @param compare has every chunk compared by the drive right after it was written
 * @throws P2pdmaError INTERRUPTED, STOPPED (time is up) or COPY_FAILED
 */
export async function moveData(
  bench: Bench,
  data: readonly Extent[],
  bitmap: Buffer,
  compare: CompareTarget | undefined,
): Promise<Moved> {
  const { chunkBytes, retries, onError } = bench.plan.request;
  const { outcome, errors, failedChunks } = await runPass(bench, {
    ...{ extents: data, bitmap, chunkBytes, retries, phase: "copy", totalBytes: sumBytes(data) },
    ...stagesFor(compare),
    doneBefore: sumBytes(stretches(data, chunkBytes, bitmap, true)),
    stopOnError: onError === "stop",
  });
  const differing = errors.filter(isDifference);
  if (outcome === "done" || outcome === "differs") return { lost: [], differing };
  const failures = errors.filter((error) => !isDifference(error));
  stopUnlessSkippable(bench, { outcome, errors: failures, failedChunks });
  const rescued = await rescue(bench, stretches(data, chunkBytes, bitmap, false), failures, compare);
  return { lost: rescued.lost, differing: [...differing, ...rescued.differing] };
}

function stagesFor(compare: CompareTarget | undefined) {
  return compare ? ({ stages: "copy+compare", compare } as const) : ({ stages: "copy" } as const);
}

const EILSEQ = 84;

function isDifference({ direction, errno }: ChunkError): boolean {
  return direction === "compare" && errno === EILSEQ;
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
  compare: CompareTarget | undefined,
): Promise<Moved> {
  const { chunkBytes, retries } = bench.plan.request;
  const { blockBytes } = bench.plan.range;
  const totalBytes = sumBytes(failed);
  let left = failed;
  let causes = errors;
  let differing: ChunkError[] = [];
  for (let size = chunkBytes, isLast = false; !isLast && left.length > 0; ) {
    size = Math.max(blockBytes, Math.floor(size / SHRINK / blockBytes) * blockBytes);
    isLast = size === blockBytes;
    const bitmap = emptyBitmap(left, size);
    const result = await runPass(bench, {
      ...{ extents: left, bitmap, chunkBytes: size, stopOnError: false, phase: "rescue", totalBytes },
      ...stagesFor(compare),
      doneBefore: totalBytes - sumBytes(left),
      retries: isLast ? Math.min(1, retries) : 0,
      oneByOne: isLast,
    });
    causes = result.errors.filter((error) => !isDifference(error));
    differing = result.errors.filter(isDifference);
    if (result.outcome === "failed" || result.outcome === "cancelled") {
      stopUnlessSkippable(bench, { ...result, errors: causes });
    }
    left = stretches(left, size, bitmap, false);
  }
  const lost = left.map((range) => ({ ...range, ...causeOf(range, causes) }));
  return { lost: lost.filter((range) => !differing.some((one) => touches(one, range))), differing };
}

function touches(a: Pick<Extent, "srcOffset" | "lengthBytes">, b: Pick<Extent, "srcOffset" | "lengthBytes">) {
  return a.srcOffset < b.srcOffset + b.lengthBytes && b.srcOffset < a.srcOffset + a.lengthBytes;
}

/** The log of errors is bounded; what has no record of its own failed like the last one that has. */
function causeOf(range: Extent, causes: readonly ChunkError[]): Pick<LostRange, "direction" | "errno"> {
  const { direction, errno } = causes.find((one) => touches(one, range)) ??
    causes.at(-1) ?? { direction: "read", errno: 0 };
  return { direction, errno };
}
