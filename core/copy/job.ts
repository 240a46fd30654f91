// SPDX-License-Identifier: MIT
import { unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { type Extent, errnoName, SyscallError } from "../../ffi/index.ts";
import { clearChunks, stretches, sumBytes } from "../journal/bitmap.ts";
import { type EndIdentity, identityOf } from "../journal/identity.ts";
import type { BadRange } from "../journal/journal.ts";
import { type MapStatus, mapOf, renderMapfile } from "../journal/mapfile.ts";
import { replaceFile, syncDirectory } from "../journal/store.ts";
import { checkOpened } from "./claim.ts";
import { conclude } from "./conclusion.ts";
import { readDestination } from "./endpoint.ts";
import { StuckRequestsError, Tally } from "./engine.ts";
import { closeBoth, openBoth, reserve, settle } from "./files.ts";
import { checkStillThere, noteSourceChange, refuseRubbish } from "./integrity.ts";
import { JournalKeeper, reasonOf } from "./keeper.ts";
import { type Layout, layOut, makeHoles, withoutHoles } from "./layout.ts";
import { type LostRange, type Moved, moveData } from "./mover.ts";
import type { Bench } from "./pass.ts";
import { type CopyPlan, planRoute } from "./prepare.ts";
import { makeReceipt, type Receipt } from "./receipt.ts";
import type { CopyEnvironment, CopyHooks } from "./request.ts";
import { needsExclusive } from "./safety.ts";
import { mapfilePath } from "./side-files.ts";
import type { Verification } from "./verify.ts";
import { type Comparer, openComparer, verifiedInline, verifyCopy } from "./verify-copy.ts";

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
      route.staging.provider !== undefined,
      needsExclusive(plan.request.overwrite),
    );
    const bench: Bench = { env, plan, route, files, hooks, tally: new Tally() };
    try {
      checkOpened(env, files, plan.src, plan.dst);
      const outcome = await withTimeLimit(bench, () => transfer(bench));
      return makeReceipt({
        ...{ ...plan, ...outcome, route },
        engine: plan.request.engine,
        chunkBytes: plan.request.chunkBytes,
        progress: bench.tally.total(),
        elapsedMs: Math.round(performance.now() - started),
        transferMs: Math.round(outcome.durableAt - outcome.movingAt),
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
  const { plan } = bench;
  let layout = await layOut(bench);
  const done = () => stretches(layout.data, plan.request.chunkBytes, layout.bitmap, true);
  const before = done();
  const comparer: Comparer = plan.request.verify ? openComparer(bench) : { reason: null };
  const keeper = await beforeFirstByte(bench, layout);
  const movingAt = performance.now();
  try {
    const holes = layout.holes.length > 0 ? await makeHoles(bench, layout) : "left";
    if (holes === undefined) {
      layout = withoutHoles(bench);
      await keeper?.replan(layout);
    }
    const moved = await move(bench, layout, comparer);
    const sourceChanged = noteSourceChange(bench);
    const durableAt = performance.now();
    const queueDepth = bench.tally.depth();
    const mapfile = await writeMapfile(plan, [], moved.lost, "finished");
    const verification = await verify(bench, moved, comparer, [...before, ...layout.holes]);
    const badRanges = moved.lost.map(badRangeOf);
    await close(keeper, verification, badRanges, () => {
      if (verification?.isListCut) layout.bitmap.fill(0);
      clearChunks(layout.data, plan.request.chunkBytes, layout.bitmap, differingOf(verification));
    });
    const sparse = { method: layout.method, holeBytes: sumBytes(layout.holes), made: holes };
    const bytesBefore = sumBytes(before);
    return {
      ...{ movingAt, durableAt, queueDepth, sourceChanged },
      ...{ verification, bytesBefore, badRanges, mapfile, sparse },
    };
  } catch (error) {
    const conclusion = await conclude(error, keeper, bench.hooks);
    await writeMapfile(plan, done(), [], "untried").catch((problem: unknown) => {
      bench.hooks.warn(`the mapfile could not be written: ${reasonOf(problem)}`);
    });
    throw conclusion;
  } finally {
    if ("close" in comparer) comparer.close();
  }
}

/** Data, tail, durability. */
async function move(bench: Bench, layout: Layout, comparer: Comparer): Promise<Moved> {
  const { env, plan, files } = bench;
  const inline = isInline(bench, comparer) ? comparer.target : undefined;
  const { lost, differing } = await moveData(bench, layout.data, layout.bitmap, inline);
  const all = [...lost, ...copyLastBlock(bench)];
  refuseRubbish(bench);
  checkStillThere(bench, layout);
  await settle(env.native, files.dst, plan.dst, plan.range, plan.inPlace);
  return { lost: all, differing };
}

function isInline(
  { plan, route }: Bench,
  comparer: Comparer,
): comparer is Extract<Comparer, { close(): void }> {
  return plan.request.verify === "inline" && "target" in comparer && !route.copyTarget;
}

async function verify(
  bench: Bench,
  moved: Moved,
  comparer: Comparer,
  notMoved: readonly Extent[],
): Promise<Verification | null> {
  const { verify: when } = bench.plan.request;
  if (!when) return null;
  if (isInline(bench, comparer)) return verifiedInline(bench, moved.differing, notMoved, comparer.target);
  if (when === "inline") {
    const reason = "reason" in comparer ? comparer.reason : "no chunk is staged";
    bench.hooks.warn(`comparing afterwards, because each chunk can't be compared by the drive: ${reason}`);
  }
  return verifyCopy(bench, moved.lost, comparer);
}

/** Space and the first journal. When either can't be had, nothing was written, and a file made for this is removed. */
async function beforeFirstByte(bench: Bench, layout: Layout): Promise<JournalKeeper | undefined> {
  const { env, plan, files } = bench;
  try {
    reserve(env.native, files, plan.dst, layout.holes.length > 0 ? layout.data : [plan.range]);
    if (isNewFile(plan)) await syncDirectory(dirname(plan.dst.path));
    if (plan.journalPath === undefined) return undefined;
    const keeper = new JournalKeeper(bench, plan.journalPath, layout, destinationIdentity(bench));
    return (await isBegun(bench, keeper)) ? keeper : undefined;
  } catch (error) {
    if (isNewFile(plan)) unlinkSync(plan.dst.path);
    throw error;
  }
}

/** A place that the user named must work; without the default one the copy goes on, and says so. */
async function isBegun({ plan, hooks }: Bench, keeper: JournalKeeper): Promise<boolean> {
  try {
    await keeper.begin();
    return true;
  } catch (error) {
    if (plan.resumed || plan.request.journal?.path !== undefined) throw error;
    hooks.warn(`${reasonOf(error)}; an interrupted copy starts again from the beginning`);
    return false;
  }
}

function isNewFile({ dst }: CopyPlan): boolean {
  return dst.kind === "file" && !dst.exists;
}

/** A file that was just made has its inode only now. */
function destinationIdentity({ env, plan }: Bench): EndIdentity {
  const { inode, bornNs } = readDestination(env.sys, env.native, plan.dst.path);
  return plan.resumed?.destination ?? identityOf(env.sys, { ...plan.dst, inode, bornNs });
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

function badRangeOf({ srcOffset, lengthBytes, direction, errno }: LostRange): BadRange {
  return {
    srcOffset: srcOffset.toString(),
    lengthBytes: lengthBytes.toString(),
    direction: direction === "read" ? "read" : "write",
    error: errno === 0 ? "unknown" : errnoName(errno),
  };
}

/** ddrescue's kind of map, where it was asked for or something is missing. */
async function writeMapfile(
  plan: CopyPlan,
  finished: readonly Extent[],
  lost: readonly Extent[],
  rest: MapStatus,
): Promise<string | undefined> {
  const path = lost.length > 0 ? mapfilePath(plan) : plan.request.mapfile;
  if (path !== undefined) await replaceFile(path, renderMapfile(mapOf(plan.range, finished, lost, rest)));
  return path;
}
