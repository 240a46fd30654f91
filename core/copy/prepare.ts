// SPDX-License-Identifier: MIT
import { usageError } from "../errors.ts";
import type { EndIdentity } from "../journal/identity.ts";
import type { Journal } from "../journal/journal.ts";
import { readMachine } from "../topo/index.ts";
import { type Endpoint, readDestination, readSource } from "./endpoint.ts";
import { type CopyRange, resolveRange } from "./range.ts";
import {
  type CopyEnvironment,
  type CopyHooks,
  type CopyRequest,
  checkShape,
  DEFAULT_DEPTH,
  MAX_DEPTH,
} from "./request.ts";
import { chooseRoute, type Route } from "./route.ts";
import { checkDestination, checkOverlap, warnAboutSource } from "./safety.ts";

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

/** The ends, the range and all that speaks against writing there. */
export async function prepare(
  env: CopyEnvironment,
  request: CopyRequest,
  hooks: Pick<CopyHooks, "permit" | "warn">,
  resumed?: Journal,
): Promise<Pick<CopyPlan, "src" | "dst" | "range">> {
  checkShape(request);
  const src = asBefore(readSource(env.sys, env.native, request.source), resumed?.source);
  const dst = asBefore(readDestination(env.sys, env.native, request.destination), resumed?.destination);
  const range = resolveRange(src, dst, request);
  checkOverlap(src, dst, range);
  checkDestination(env, dst, request.overwrite);
  if (request.chunkBytes % range.blockBytes !== 0) {
    throw usageError(`--chunk ${request.chunkBytes} is no multiple of the block size ${range.blockBytes}`);
  }
  await hooks.permit(dst);
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
  return { least, depth: Math.max(least, Math.min(most, request.depth ?? DEFAULT_DEPTH)) };
}

/** Chooses the staging memory and holds it. */
export function planRoute(env: CopyEnvironment, { request, src, dst, range }: CopyPlan): Route {
  const { least, depth } = depthOf(request, range);
  return chooseRoute(env.native, readMachine(env.sys), src, dst, {
    via: request.via,
    provider: request.provider,
    allocator: request.allocator,
    chunkBytes: request.chunkBytes,
    depth,
    leastDepth: least,
    mayLowerDepth: request.depth === undefined,
  });
}
