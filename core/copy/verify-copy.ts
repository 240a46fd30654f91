// SPDX-License-Identifier: MIT
import type { Extent } from "../../ffi/index.ts";
import { sumBytes, without } from "../journal/bitmap.ts";
import { interrupted } from "./faults.ts";
import type { Bench } from "./mover.ts";
import { type Verification, verifyThroughRam } from "./verify.ts";

/** Compares what was copied, without what is known to be missing. */
export async function verifyCopy(bench: Bench, lost: readonly Extent[]): Promise<Verification> {
  const { env, plan, files, hooks } = bench;
  const extents = without([plan.range], lost);
  const bytesTotal = sumBytes(extents);
  let done = 0n;
  const verification = await verifyThroughRam(env.native, {
    ...{ ...files, extents, blockBytes: plan.range.blockBytes, hash: plan.request.hash ?? "sha256" },
    ...{ reason: null, stop: hooks.stop },
    onProgress: (bytesDone) => {
      done = bytesDone;
      hooks.onProgress?.({ phase: "verify", bytesDone, bytesTotal, depth: 1 });
    },
  });
  if (!verification) throw interrupted(hooks.stop, plan.dst, done, bytesTotal);
  return verification;
}
