// SPDX-License-Identifier: MIT
// What may have happened to either end, or to the memory in between, while data moved.
import { type BigIntStats, statSync } from "node:fs";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { lendersOf } from "../p2pmem/stripe.ts";
import { lostDevices } from "./faults.ts";
import type { Layout } from "./layout.ts";
import type { Bench } from "./pass.ts";

/** @throws P2pdmaError COPY_FAILED: what went through the memory of a device that is gone by now may be anything. */
export function refuseRubbish({ env, plan, route }: Bench): void {
  const lost = lostDevices(env.sys, plan.src, plan.dst, lendersOf(route.staging));
  if (lost.length > 0) throw failure(`Cannot trust what was copied last: ${lost.join(", ")}`);
}

/** @throws P2pdmaError COPY_FAILED when the file that was written is not the one at that path any more, or was cut. */
export function checkStillThere({ env, plan, files }: Bench, layout: Layout): void {
  const { dst } = plan;
  if (dst.kind !== "file") return;
  const written = env.native.fileStatus(files.dst);
  const there = statSync(dst.path, { bigint: true, throwIfNoEntry: false });
  if (!there) throw failure(`"${dst.path}" was removed while it was written`);
  if (!isSameFile(written, there)) throw failure(`"${dst.path}" was replaced while it was written`);
  const last = layout.data.at(-1);
  if (last && written.size < last.dstOffset + last.lengthBytes) {
    throw failure(`"${dst.path}" was cut to ${written.size} bytes while it was written`);
  }
}

function isSameFile(a: BigIntStats, b: BigIntStats): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/** Whether a source file was modified since the copy looked at it; says so. A device does not tell. */
export function noteSourceChange({ env, plan, files, hooks }: Bench): boolean {
  const { src } = plan;
  if (src.kind !== "file") return false;
  const now = env.native.fileStatus(files.src);
  if (now.mtimeNs === src.modifiedNs && now.size === src.sizeBytes) return false;
  hooks.warn(`"${src.path}" was modified while it was copied: the copy may hold a mixture of old and new`);
  return true;
}

function failure(message: string): P2pdmaError {
  return new P2pdmaError("COPY_FAILED", ExitCode.failed, message);
}
