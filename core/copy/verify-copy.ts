// SPDX-License-Identifier: MIT
import { constants } from "node:fs";
import { type ChunkError, type CompareTarget, type Extent, SyscallError } from "../../ffi/index.ts";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { emptyBitmap, sumBytes, without } from "../journal/bitmap.ts";
import { compareTargetOf } from "../nvme/compare.ts";
import { chunkFailure, interrupted } from "./faults.ts";
import { type Bench, runPass } from "./pass.ts";
import {
  addDiffering,
  type DifferingRange,
  MAX_DIFFERING,
  type Verification,
  verifyThroughRam,
} from "./verify.ts";

/** The drive's Compare command, open; or why it can't be used, in words. */
export type Comparer = { readonly target: CompareTarget; close(): void } | { readonly reason: string | null };

/** Opens what is needed to let the destination's drive compare by itself. */
export function openComparer({ env, plan }: Bench): Comparer {
  if (plan.request.hash) return { reason: null };
  if (plan.request.engine === "sync") return { reason: "the sync engine has no NVMe commands" };
  const target = compareTargetOf(env, plan.dst);
  if (typeof target === "string") return { reason: target };
  if (plan.range.blockBytes % target.lbaBytes !== 0) return { reason: "the block sizes do not fit" };
  try {
    const file = env.native.open(target.charDevice, constants.O_RDWR);
    return { target: { ...target, file }, close: () => env.native.close(file) };
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return { reason: `"${target.charDevice}" can't be opened: ${error.code}` };
  }
}

/**
 * Compares what was copied, without what is known to be missing: by the drive where it can, so that nothing
 * passes through RAM but the bytes behind the last whole block.
 * @throws P2pdmaError INTERRUPTED, STOPPED, or COPY_FAILED for what can't be read back
 */
export async function verifyCopy(
  bench: Bench,
  lost: readonly Extent[],
  comparer: Comparer,
): Promise<Verification> {
  const { range } = bench.plan;
  if ("reason" in comparer) return throughRam(bench, without([range], lost), comparer.reason);
  const body = without([{ ...range, lengthBytes: range.bodyBytes }], lost);
  const found = await compareByDrive(bench, body, comparer.target);
  const tail =
    range.tailBytes === 0 ? undefined : await throughRam(bench, without([tailOf(bench)], lost), null);
  return byDrive(bench, found, tail);
}

/**
 * The verdict on chunks that were compared right after they were written; what was not, is now.
 * @param rest what an earlier run had brought, and the holes
 */
export async function verifiedInline(
  bench: Bench,
  found: readonly ChunkError[],
  rest: readonly Extent[],
  compare: CompareTarget,
): Promise<Verification> {
  const now = findingsOf(found);
  const later = rest.length > 0 ? await compareByDrive(bench, rest, compare) : findingsOf([]);
  const tail = bench.plan.range.tailBytes === 0 ? undefined : await throughRam(bench, [tailOf(bench)], null);
  const isCut = now.isCut || later.isCut;
  return byDrive(bench, { differing: [...now.differing, ...later.differing], isCut }, tail);
}

function byDrive(bench: Bench, found: Findings, tail: Verification | undefined): Verification {
  const differing = [...found.differing, ...(tail?.differing ?? [])];
  const staged = bench.route.staging.provider
    ? 0n
    : sumBytes([{ lengthBytes: bench.plan.range.bodyBytes }]) * 2n;
  return {
    method: "NVMe Compare",
    equal: differing.length === 0,
    throughRamBytes: (staged + BigInt(tail?.throughRamBytes ?? 0)).toString(),
    ...{ reason: null, sourceDigest: null, destinationDigest: null, differing },
    isListCut: found.isCut || differing.length >= MAX_DIFFERING,
  };
}

async function compareByDrive(
  bench: Bench,
  extents: readonly Extent[],
  compare: CompareTarget,
): Promise<Findings> {
  const { chunkBytes, retries } = bench.plan.request;
  const { src, dst } = bench.plan;
  const result = await runPass(bench, {
    ...{ phase: "verify", stages: "compare", compare, extents, chunkBytes, retries },
    ...{ bitmap: emptyBitmap(extents, chunkBytes), stopOnError: false },
    ...{ doneBefore: 0n, totalBytes: sumBytes(extents) },
  });
  if (result.outcome === "failed" || result.outcome === "cancelled") {
    const cause = result.errors.find(({ errno }) => errno !== EILSEQ);
    const what = cause ? chunkFailure(cause, src, dst) : `Cannot compare "${dst.path}" with "${src.path}"`;
    throw new P2pdmaError("COPY_FAILED", ExitCode.failed, what);
  }
  return findingsOf(result.errors);
}

const EILSEQ = 84;

interface Findings {
  readonly differing: readonly DifferingRange[];
  /** The pump's log was full. */
  readonly isCut: boolean;
}

function findingsOf(errors: readonly ChunkError[]): Findings {
  const differing: DifferingRange[] = [];
  const inOrder = errors.toSorted((a, b) => (a.srcOffset < b.srcOffset ? -1 : 1));
  for (const { srcOffset, dstOffset, lengthBytes, errno } of inOrder) {
    if (errno === EILSEQ) addDiffering(differing, srcOffset, dstOffset, lengthBytes);
  }
  return { differing, isCut: errors.length >= MAX_DIFFERING };
}

function tailOf({ plan: { range } }: Bench): Extent {
  return {
    srcOffset: range.srcOffset + range.bodyBytes,
    dstOffset: range.dstOffset + range.bodyBytes,
    lengthBytes: BigInt(range.tailBytes),
  };
}

async function throughRam(
  { env, plan, files, hooks }: Bench,
  extents: readonly Extent[],
  reason: string | null,
): Promise<Verification> {
  const bytesTotal = sumBytes(extents);
  let done = 0n;
  const verification = await verifyThroughRam(env.native, {
    ...{ ...files, extents, blockBytes: plan.range.blockBytes, hash: plan.request.hash ?? "sha256" },
    ...{ reason, stop: hooks.stop, bytesPerSecond: Number(plan.request.rate ?? 0n) },
    onProgress: (bytesDone) => {
      done = bytesDone;
      hooks.onProgress?.({ phase: "verify", bytesDone, bytesTotal, depth: 1 });
    },
  });
  if (!verification) throw interrupted(hooks.stop, plan.dst, done, bytesTotal);
  return verification;
}
