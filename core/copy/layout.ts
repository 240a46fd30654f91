// SPDX-License-Identifier: MIT
import type { Extent } from "../../ffi/index.ts";
import { emptyBitmap, sumBytes, without } from "../journal/bitmap.ts";
import { dataExtents, durableChunks } from "../journal/journal.ts";
import { interrupted } from "./faults.ts";
import type { Bench } from "./pass.ts";
import type { CopyPlan } from "./prepare.ts";
import { mapSource, type SourceMap } from "./sparse.ts";
import { type ZeroMethod, zeroRange } from "./zero.ts";

/** How the body of a copy comes over: what is moved, and what is made of holes. */
export interface Layout {
  readonly data: readonly Extent[];
  readonly holes: readonly Extent[];
  /** Which chunks of the data are on the destination. */
  readonly bitmap: Buffer;
  readonly method: SourceMap["method"];
}

/** From the journal of an earlier run, or from what the source tells of its holes. */
export async function layOut(bench: Bench): Promise<Layout> {
  const { env, plan, files } = bench;
  const { request, range, src, resumed } = plan;
  const body = bodyOf(plan);
  if (resumed) {
    const data = dataExtents(resumed);
    return { data, holes: without(body, data), bitmap: durableChunks(resumed), method: "none" };
  }
  if (request.sparse === "never") return layoutOf(plan, body, [], "none");
  const map = await mapSource(env.native, env.sys, files.src, src, range, request.chunkBytes);
  return layoutOf(plan, map.data, map.holes, map.method);
}

function bodyOf({ range }: CopyPlan): Extent[] {
  const { srcOffset, dstOffset, bodyBytes } = range;
  return bodyBytes > 0n ? [{ srcOffset, dstOffset, lengthBytes: bodyBytes }] : [];
}

function layoutOf(
  plan: CopyPlan,
  data: readonly Extent[],
  holes: readonly Extent[],
  method: Layout["method"],
): Layout {
  return { data, holes, bitmap: emptyBitmap(data, plan.request.chunkBytes), method };
}

/** What became of the holes: a file that was just made has them by itself. */
export type HoleMethod = ZeroMethod | "left";

/**
 * Makes the holes on the destination.
 * @returns how; undefined when the destination can't, and the zeros have to be moved
 * @throws P2pdmaError INTERRUPTED or STOPPED
 */
export async function makeHoles(bench: Bench, { holes }: Layout): Promise<HoleMethod | undefined> {
  const { env, plan, files, hooks } = bench;
  if (plan.dst.kind === "file" && !plan.dst.exists) return "left";
  const bytesTotal = sumBytes(holes);
  let before = 0n;
  let method: ZeroMethod | undefined = "punched";
  for (const { dstOffset, lengthBytes } of holes) {
    const result = await zeroRange(env.native, files.dst, plan.dst, dstOffset, lengthBytes, {
      shouldStop: () => hooks.stop.mode !== undefined,
      onProgress: (done) =>
        hooks.onProgress?.({ phase: "zero", bytesDone: before + done, bytesTotal, depth: 1 }),
    });
    if (result.method === undefined && hooks.stop.mode === undefined) return undefined;
    before += result.zeroedBytes;
    if (hooks.stop.mode) throw interrupted(hooks.stop, plan.dst, 0n, plan.range.lengthBytes);
    method = result.method;
  }
  return method;
}

/** The same copy with nothing left out. */
export function withoutHoles({ plan }: Bench): Layout {
  return layoutOf(plan, bodyOf(plan), [], "none");
}
