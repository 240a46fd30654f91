// SPDX-License-Identifier: MIT
import { noPeerToPeer, P2pdmaError, usageError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import type { EndIdentity } from "../journal/identity.ts";
import type { Journal } from "../journal/journal.ts";
import { identifyNamespace } from "../nvme/identify.ts";
import { readMachine } from "../topo/index.ts";
import { type Endpoint, readDestination, readSource } from "./endpoint.ts";
import { canNvmeCopy, type NvmeCopyTarget } from "./nvme-copy.ts";
import { passthroughTargets } from "./passthrough.ts";
import { type CopyRange, resolveRange } from "./range.ts";
import {
  ADAPTIVE_SLOTS,
  type CopyEnvironment,
  type CopyHooks,
  type CopyRequest,
  checkShape,
  MAX_DEPTH,
} from "./request.ts";
import { chooseRoute, type Route, type Via } from "./route.ts";
import { checkDestination, checkOverlap, warnAboutSource } from "./safety.ts";
import { checkStacking } from "./stacking.ts";

/** A copy that passed every check which needs no memory and touches nothing. */
export interface CopyPlan {
  readonly request: CopyRequest;
  readonly src: Endpoint;
  readonly dst: Endpoint;
  readonly range: CopyRange;
  /** The destination is a file that keeps what lies around the range. */
  readonly inPlace: boolean;
  /** Where the journal is kept; undefined keeps none. */
  readonly journalPath: string | undefined;
  /** What an earlier run wrote down. */
  readonly resumed: Journal | undefined;
}

/** A bitmap of 1 GiB. */
const MOST_CHUNKS = 1n << 33n;

/** What a copy that has begun may have brought to its destination by itself: no reason not to go on. */
const OWN_CONTENTS = ["partitions", "filesystem"] as const;

/** The ends, the range and all that speaks against writing there. */
export async function prepare(
  env: CopyEnvironment,
  request: CopyRequest,
  hooks: Pick<CopyHooks, "permit" | "warn">,
  resumed?: Journal,
): Promise<Pick<CopyPlan, "src" | "dst" | "range">> {
  checkShape(request);
  env.native.requireHelper();
  const src = asBefore(readSource(env.sys, env.native, request.source), resumed?.source);
  const dst = asBefore(readDestination(env.sys, env.native, request.destination), resumed?.destination);
  const range = resolveRange(src, dst, request);
  checkOverlap(src, dst, range);
  checkStacking(env.sys, src, dst);
  const overwrite = resumed ? [...request.overwrite, ...OWN_CONTENTS] : request.overwrite;
  checkDestination(env, dst, overwrite);
  if (request.chunkBytes % range.blockBytes !== 0) {
    throw usageError(`--chunk ${request.chunkBytes} is no multiple of the block size ${range.blockBytes}`);
  }
  if (range.bodyBytes / BigInt(request.chunkBytes) > MOST_CHUNKS) {
    throw usageError(
      `--chunk ${request.chunkBytes} cuts this copy into too many chunks`,
      "take a larger one",
    );
  }
  await hooks.permit(dst);
  // Somebody may have read a prompt for minutes.
  checkDestination(env, dst, overwrite);
  const doubt = warnAboutSource(env.sys, src);
  if (doubt) hooks.warn(doubt);
  return { src, dst, range };
}

/** A file tells its alignment only once it is there; a resume must cut it into the same blocks as before. */
function asBefore(end: Endpoint, was: EndIdentity | undefined): Endpoint {
  return was && end.kind === "file" ? { ...end, blockBytes: was.blockBytes } : end;
}

/** How many slots a copy of this range can use: no more than chunks, and two for a tail. */
export function depthOf(request: CopyRequest, range: CopyRange): { least: number; depth: number } {
  const chunks = (range.bodyBytes + BigInt(request.chunkBytes) - 1n) / BigInt(request.chunkBytes);
  const most = chunks < BigInt(MAX_DEPTH) ? Number(chunks) : MAX_DEPTH;
  const least = range.tailBytes > 0 ? 2 : 1;
  return { least, depth: Math.max(least, Math.min(most, request.depth ?? ADAPTIVE_SLOTS)) };
}

/** Chooses the way and its staging memory, and holds it. */
export function planRoute(env: CopyEnvironment, plan: CopyPlan): Route {
  if (plan.request.engine !== "passthrough") return chooseWay(env, plan);
  const targets = passthroughTargets(env, plan);
  if (typeof targets !== "string") return { ...chooseWay(env, plan), passthrough: targets };
  throw new P2pdmaError("NOT_COPYABLE", ExitCode.failed, `Cannot copy by NVMe passthrough: ${targets}`, {
    hint: "--engine uring goes through the block layer",
  });
}

function chooseWay(env: CopyEnvironment, plan: CopyPlan): Route {
  if (plan.request.via !== "nvme-copy") return stage(env, plan, plan.request.via);
  const copyTarget = withinDrive(env, plan);
  return {
    ...stage(env, plan, "auto"),
    via: "nvme-copy",
    reason: "the drive's Copy command",
    rejected: [],
    copyTarget,
  };
}

/** @throws P2pdmaError NOT_COPYABLE (exit code 3) */
function withinDrive(env: CopyEnvironment, { src, dst }: CopyPlan): NvmeCopyTarget {
  const identity = src.device ? identifyNamespace(env, src.device.disk) : `"${src.path}" is on no drive`;
  const target = canNvmeCopy(identity, src, dst);
  if (typeof target !== "string") return target;
  throw noPeerToPeer("NOT_COPYABLE", `Cannot copy within the drive: ${target}`);
}

function stage(env: CopyEnvironment, { request, src, dst, range }: CopyPlan, via: Via): Route {
  const { least, depth } = depthOf(request, range);
  return chooseRoute(env.native, readMachine(env.sys), src, dst, {
    via,
    provider: request.provider,
    allocator: request.allocator,
    through: request.through,
    chunkBytes: request.chunkBytes,
    depth,
    leastDepth: least,
    mayLowerDepth: request.depth === undefined,
    mayMerge: request.engine === "uring",
  });
}
