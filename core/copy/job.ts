// SPDX-License-Identifier: MIT
import { unlinkSync } from "node:fs";
import { type Extent, errnoName, SyscallError } from "../../ffi/index.ts";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { clearChunks, emptyBitmap, stretches, sumBytes } from "../journal/bitmap.ts";
import { type EndIdentity, identityOf } from "../journal/identity.ts";
import { type BadRange, dataExtents, durableChunks } from "../journal/journal.ts";
import { type MapStatus, mapOf, renderMapfile } from "../journal/mapfile.ts";
import { replaceFile } from "../journal/store.ts";
import { readDestination, readSource } from "./endpoint.ts";
import { StuckRequestsError, Tally } from "./engine.ts";
import { isResumable, lostDevices } from "./faults.ts";
import { closeBoth, openBoth, reserve, settle } from "./files.ts";
import { JournalKeeper, reasonOf } from "./keeper.ts";
import { type Bench, type LostRange, moveData } from "./mover.ts";
import { type CopyPlan, planRoute } from "./prepare.ts";
import { makeReceipt, type Receipt } from "./receipt.ts";
import type { CopyEnvironment, CopyHooks } from "./request.ts";
import { needsExclusive } from "./safety.ts";
import type { Verification } from "./verify.ts";
import { verifyCopy } from "./verify-copy.ts";

/**
 * Carries a planned copy out: staging memory, both ends open, data, durability, verification.
 * @throws P2pdmaError; STOPPED (exit code 6) when a journal lets a later run go on from there
 */
export async function runJob(env: CopyEnvironment, plan: CopyPlan, hooks: CopyHooks): Promise<Receipt> {
  const started = performance.now();
  const callsBefore = env.native.nativeCalls();
  const route = planRoute(env, plan);
  let isStuck = false;
  try {
    hooks.onRoute?.(route, plan);
    const files = openBoth(
      env.native,
      plan.src,
      plan.dst,
      route.via === "p2p",
      needsExclusive(plan.request.overwrite),
    );
    const bench: Bench = { env, plan, route, files, hooks, tally: new Tally() };
    try {
      const moving = performance.now();
      const outcome = await withTimeLimit(bench, () => transfer(bench));
      return makeReceipt({
        ...{ ...plan, ...outcome, route },
        engine: plan.request.engine,
        chunkBytes: plan.request.chunkBytes,
        progress: bench.tally.total(),
        elapsedMs: Math.round(performance.now() - started),
        transferMs: Math.round(outcome.durableAt - moving),
        nativeCalls: env.native.nativeCalls() - callsBefore,
      });
    } finally {
      closeBoth(env.native, files);
    }
  } catch (error) {
    isStuck = error instanceof Error && [error, error.cause].some((one) => one instanceof StuckRequestsError);
    throw error;
  } finally {
    if (!isStuck) route.staging.close();
  }
}

async function withTimeLimit<T>({ plan, hooks }: Bench, work: () => Promise<T>): Promise<T> {
  const { stopAfterMs } = plan.request;
  if (stopAfterMs === undefined) return work();
  const timer = setTimeout(() => hooks.stop.request("drain", "time"), stopAfterMs);
  try {
    return await work();
  } finally {
    clearTimeout(timer);
  }
}

/** Everything from the first journal to the last. */
async function transfer(bench: Bench) {
  const { plan, env, files } = bench;
  const { data, bitmap } = layOut(plan);
  const bytesBefore = sumBytes(stretches(data, plan.request.chunkBytes, bitmap, true));
  const keeper = await beforeFirstByte(bench, data, bitmap);
  try {
    const lost = await moveData(bench, data, bitmap);
    lost.push(...copyLastBlock(bench));
    refuseRubbish(bench);
    await settle(env.native, files.dst, plan.dst, plan.range, plan.inPlace);
    const durableAt = performance.now();
    warnOfChange(bench);
    const mapfile = await writeMapfile(plan, [], lost, "finished");
    const verification = plan.request.verify ? await verifyCopy(bench, lost) : null;
    const badRanges = lost.map(badRangeOf);
    await close(keeper, verification, badRanges, () =>
      clearChunks(data, plan.request.chunkBytes, bitmap, differingOf(verification)),
    );
    return { durableAt, verification, bytesBefore, badRanges, mapfile };
  } catch (error) {
    await writeMapfile(plan, stretches(data, plan.request.chunkBytes, bitmap, true), [], "untried");
    throw await concluded(error, keeper, bench.hooks);
  }
}

/** Space and the first journal. When either can't be had, nothing was written, and a file made for this is removed. */
async function beforeFirstByte(
  bench: Bench,
  data: readonly Extent[],
  bitmap: Buffer,
): Promise<JournalKeeper | undefined> {
  const { env, plan, files } = bench;
  try {
    reserve(env.native, files, plan.dst, [plan.range]);
    if (plan.journalPath === undefined) return undefined;
    const keeper = new JournalKeeper(bench, plan.journalPath, data, bitmap, destinationIdentity(bench));
    await keeper.begin();
    return keeper;
  } catch (error) {
    if (plan.dst.kind === "file" && !plan.dst.exists) unlinkSync(plan.dst.path);
    throw error;
  }
}

/** A file that was just made has its inode only now. */
function destinationIdentity({ env, plan }: Bench): EndIdentity {
  const { inode } = readDestination(env.sys, env.native, plan.dst.path);
  return plan.resumed?.destination ?? identityOf(env.sys, { ...plan.dst, inode });
}

/** What differs is taken out of the journal, so that a resume brings it over again. */
async function close(
  keeper: JournalKeeper | undefined,
  verification: Verification | null,
  badRanges: readonly BadRange[],
  forgetDiffering: () => void,
): Promise<void> {
  if (verification && !verification.equal) {
    forgetDiffering();
    return keeper?.end("stopped", badRanges);
  }
  return keeper?.end(badRanges.length > 0 ? "bad-ranges" : "done", badRanges);
}

function differingOf(verification: Verification | null) {
  return (verification?.differing ?? []).map(({ srcOffset, lengthBytes }) => ({
    srcOffset: BigInt(srcOffset),
    lengthBytes: BigInt(lengthBytes),
  }));
}

/** The journal's last word, and the error that tells of it. */
async function concluded(
  error: unknown,
  keeper: JournalKeeper | undefined,
  hooks: CopyHooks,
): Promise<unknown> {
  if (!keeper) return error;
  try {
    await keeper.end("stopped");
  } catch (problem) {
    hooks.warn(`the journal claims nothing of what was copied last: ${reasonOf(problem)}`);
  }
  if (!isResumable(error)) return error;
  const isOurs = error instanceof P2pdmaError && error.code !== "COPY_FAILED";
  const [code, exit] = isOurs ? [error.code, error.exitCode] : (["STOPPED", ExitCode.stopped] as const);
  const hint = `p2pdma resume ${keeper.path} goes on from there`;
  return new P2pdmaError(code, exit, error.message, { hint, cause: error });
}

/** What is moved and what of it is there already. */
function layOut({ resumed, range, request }: CopyPlan): { data: Extent[]; bitmap: Buffer } {
  if (resumed) return { data: dataExtents(resumed), bitmap: durableChunks(resumed) };
  const { srcOffset, dstOffset, bodyBytes } = range;
  const data = bodyBytes > 0n ? [{ srcOffset, dstOffset, lengthBytes: bodyBytes }] : [];
  return { data, bitmap: emptyBitmap(data, request.chunkBytes) };
}

/** Bytes behind the last whole block: merged with what the destination's block holds. */
function copyLastBlock({ env, plan, route, files }: Bench): LostRange[] {
  const { range, src, dst, request } = plan;
  const [srcSlot, dstSlot] = route.staging.slots;
  if (range.tailBytes === 0) return [];
  if (!srcSlot || !dstSlot) throw new RangeError("a tail needs two staging slots");
  const srcOffset = range.srcOffset + range.bodyBytes;
  const dstOffset = range.dstOffset + range.bodyBytes;
  const sizes = {
    lengthBytes: range.tailBytes,
    srcBlockBytes: src.blockBytes,
    dstBlockBytes: dst.blockBytes,
  };
  try {
    env.native.copyTail({ ...files, ...sizes, srcOffset, dstOffset, srcSlot, dstSlot });
    return [];
  } catch (error) {
    const isMedium = error instanceof SyscallError && ["EIO", "ENODATA", "EILSEQ"].includes(error.code);
    if (!isMedium || request.onError !== "skip") throw error;
    const lengthBytes = BigInt(range.tailBytes);
    return [{ srcOffset, dstOffset, lengthBytes, direction: "read", errno: error.errno }];
  }
}

/** What went through the memory of a device that is gone by now may be anything. */
function refuseRubbish({ env, plan, route }: Bench): void {
  const lost = lostDevices(env.sys, plan.src, plan.dst, route.staging.provider);
  if (lost.length === 0) return;
  throw new P2pdmaError(
    "COPY_FAILED",
    ExitCode.failed,
    `Cannot trust what was copied last: ${lost.join(", ")}`,
  );
}

function badRangeOf({ srcOffset, lengthBytes, direction, errno }: LostRange): BadRange {
  return {
    srcOffset: srcOffset.toString(),
    lengthBytes: lengthBytes.toString(),
    direction: direction === "read" ? "read" : "write",
    error: errno === 0 ? "unknown" : errnoName(errno),
  };
}

function warnOfChange({ env, plan, hooks }: Bench): void {
  if (plan.src.kind !== "file") return;
  const now = readSource(env.sys, env.native, plan.src.path);
  if (now.modifiedNs === plan.src.modifiedNs && now.sizeBytes === plan.src.sizeBytes) return;
  hooks.warn(
    `"${plan.src.path}" was modified while it was copied: the copy may hold a mixture of old and new`,
  );
}

/** ddrescue's kind of map, where it was asked for or something is missing. */
async function writeMapfile(
  { request, range, journalPath }: CopyPlan,
  finished: readonly Extent[],
  lost: readonly Extent[],
  rest: MapStatus,
): Promise<string | undefined> {
  const path = request.mapfile ?? (lost.length > 0 && journalPath ? `${journalPath}.map` : undefined);
  if (path !== undefined) await replaceFile(path, renderMapfile(mapOf(range, finished, lost, rest)));
  return path;
}
