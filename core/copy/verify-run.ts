// SPDX-License-Identifier: MIT
import type { Identity } from "./disk.ts";
import { type Endpoint, readSource } from "./endpoint.ts";
import { Tally } from "./engine.ts";
import { openReadable } from "./files.ts";
import type { Bench } from "./pass.ts";
import { type CopyPlan, planRoute } from "./prepare.ts";
import { resolveRange } from "./range.ts";
import { type CopyEnvironment, type CopyHooks, type CopyRequest, checkShape } from "./request.ts";
import { addDiffering, type Verification } from "./verify.ts";
import { openComparer, verifyCopy } from "./verify-copy.ts";

interface VerifiedEnd {
  readonly path: string;
  readonly identity: Identity | null;
  readonly startBytes: string;
}

/** What `p2pdma verify --json` prints. */
export interface VerifyReport {
  readonly schema: "p2pdma.verify/1";
  readonly source: VerifiedEnd;
  readonly destination: VerifiedEnd;
  readonly lengthBytes: string;
  readonly via: "p2p" | "ram";
  readonly provider: string | null;
  readonly elapsedMs: number;
  readonly verification: Verification;
}

/**
 * Compares two ranges and writes nothing: by the destination's drive where it can, through p2pmem where the
 * kernel allows it.
 * @throws P2pdmaError
 */
export async function verifyOnly(
  env: CopyEnvironment,
  request: CopyRequest,
  hooks: CopyHooks,
): Promise<VerifyReport> {
  const started = performance.now();
  const plan = planOf(env, request);
  const route = planRoute(env, plan);
  try {
    hooks.onRoute?.(route, plan);
    const isPeerToPeer = route.staging.provider !== undefined;
    const src = openReadable(env.native, plan.src, isPeerToPeer);
    const dst = openReadable(env.native, plan.dst, isPeerToPeer);
    const bench: Bench = { env, plan, route, files: { src, dst }, hooks, tally: new Tally() };
    const comparer = openComparer(bench);
    try {
      const verification = withSizes(plan, await verifyCopy(bench, [], comparer));
      const elapsedMs = Math.round(performance.now() - started);
      return reportOf(plan, verification, route.staging.provider?.bdf, elapsedMs);
    } finally {
      if ("close" in comparer) comparer.close();
      env.native.close(src);
      env.native.close(dst);
    }
  } finally {
    route.staging.close();
  }
}

function planOf(env: CopyEnvironment, request: CopyRequest): CopyPlan {
  checkShape(request);
  const src = readSource(env.sys, env.native, request.source);
  const dst = readSource(env.sys, env.native, request.destination);
  const common = minimum(src.sizeBytes - (request.offset ?? 0n), dst.sizeBytes - (request.seek ?? 0n));
  const length = request.length ?? (common > 0n ? common : 0n);
  const range = resolveRange(src, { ...dst, kind: "block" }, { ...request, length });
  return { request, src, dst, range, inPlace: true, journalPath: undefined, resumed: undefined };
}

function minimum(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

/** Without --length all of the source is meant, and of two files all of both. A larger device holds the copy well. */
function withSizes({ request, src, dst, range }: CopyPlan, verification: Verification): Verification {
  const [srcEnd, dstEnd] = [range.srcOffset + range.lengthBytes, range.dstOffset + range.lengthBytes];
  const [srcMore, dstMore] = [src.sizeBytes - srcEnd, dst.sizeBytes - dstEnd];
  const areFiles = src.kind === "file" && dst.kind === "file";
  const more = srcMore > 0n ? srcMore : areFiles ? dstMore : 0n;
  if (request.length !== undefined || more <= 0n) return verification;
  const differing = [...verification.differing];
  addDiffering(differing, srcEnd, dstEnd, more);
  return { ...verification, equal: false, differing };
}

function reportOf(
  { src, dst, range }: CopyPlan,
  verification: Verification,
  provider: string | undefined,
  elapsedMs: number,
): VerifyReport {
  return {
    schema: "p2pdma.verify/1",
    source: endOf(src, range.srcOffset),
    destination: endOf(dst, range.dstOffset),
    lengthBytes: range.lengthBytes.toString(),
    via: provider === undefined ? "ram" : "p2p",
    provider: provider ?? null,
    elapsedMs,
    verification,
  };
}

function endOf({ path, kind, device }: Endpoint, start: bigint): VerifiedEnd {
  const identity = kind === "block" ? (device?.identity ?? null) : null;
  return { path, identity, startBytes: start.toString() };
}
