// SPDX-License-Identifier: MIT
import { bitmapBytes, type ChunkError, errnoName, errnoText, type Native } from "../../ffi/index.ts";
import { P2pdmaError, usageError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import type { AllocatorKind } from "../p2pmem/providers.ts";
import type { SystemView } from "../sysfs.ts";
import { readMachine } from "../topo/index.ts";
import { type Endpoint, readDestination, readSource } from "./endpoint.ts";
import {
  type EngineName,
  type EngineProgress,
  type EngineRun,
  StuckRequestsError,
  startEngine,
} from "./engine.ts";
import { closeBoth, type Files, openBoth, settle } from "./files.ts";
import { type CopyRange, type RangeRequest, resolveRange } from "./range.ts";
import { makeReceipt, type Receipt } from "./receipt.ts";
import { chooseRoute, type Route, type Via } from "./route.ts";
import { checkOverlap, checkUnused } from "./safety.ts";
import { verifyByHash } from "./verify.ts";

export interface CopyRequest extends RangeRequest {
  readonly source: string;
  readonly destination: string;
  readonly via: Via;
  readonly provider?: string | undefined;
  readonly allocator?: AllocatorKind | undefined;
  readonly engine: EngineName;
  /** Bytes, a multiple of 4096. */
  readonly chunkBytes: number;
  /** Chunks in flight; undefined takes the default, or less where p2pmem is short. */
  readonly depth?: number | undefined;
  readonly retries: number;
  readonly verify: boolean;
}

/** The machine a copy runs on; passed in, so that the planning can be tested without one. */
export interface CopyEnvironment {
  readonly sys: SystemView;
  readonly native: Native;
}

export interface CopyHooks {
  /** Asks for leave to overwrite; must throw when there is none. */
  readonly permit: (destination: Endpoint) => void | Promise<void>;
  /** The route is settled, nothing has been read. */
  readonly onRoute?: (route: Route, range: CopyRange) => void;
  /** Called a few times a second while data moves. */
  readonly onProgress?: (progress: EngineProgress, range: CopyRange) => void;
  readonly onVerify?: () => void;
  /** The engine runs: the caller may cancel it. */
  readonly onStart?: (run: EngineRun) => void;
}

export const DEFAULT_DEPTH = 16;
export const MAX_DEPTH = 4096;
const PROGRESS_INTERVAL_MS = 100;
const CHUNK_UNIT_BYTES = 4096;
const MAX_CHUNK_BYTES = 1 << 30;

/**
 * Copies one range and answers with its receipt once the data are durable.
 * Everything that can be known beforehand is checked before the destination is
 * opened for writing.
 * @throws P2pdmaError or SyscallError
 */
export async function copy(env: CopyEnvironment, request: CopyRequest, hooks: CopyHooks): Promise<Receipt> {
  const callsBefore = env.native.nativeCalls();
  const started = performance.now();
  const { src, dst, range } = await prepare(env, request, hooks);
  const route = plan(env, request, src, dst, range);
  let isStuck = false;
  try {
    hooks.onRoute?.(route, range);
    const files = openBoth(env.native, src, dst, route.via === "p2p", range);
    try {
      const moving = performance.now();
      const progress = await move(env.native, request, files, route, range, src, dst, hooks);
      await settle(env.native, files.dst, dst, range, request.seek !== undefined);
      const elapsedMs = Math.round(performance.now() - started);
      const transferMs = Math.round(performance.now() - moving);
      if (request.verify) hooks.onVerify?.();
      const verification = request.verify
        ? await verifyByHash(env.native, files.src, files.dst, range)
        : null;
      return makeReceipt({
        ...{ src, dst, range, route, elapsedMs, transferMs, progress, verification },
        engine: request.engine,
        chunkBytes: request.chunkBytes,
        nativeCalls: env.native.nativeCalls() - callsBefore,
      });
    } finally {
      closeBoth(env.native, files);
    }
  } catch (error) {
    isStuck = error instanceof StuckRequestsError;
    throw error;
  } finally {
    if (!isStuck) route.staging.close();
  }
}

/** All checks that need no memory and touch nothing. */
async function prepare(env: CopyEnvironment, request: CopyRequest, hooks: CopyHooks) {
  checkShape(request);
  const src = readSource(env.sys, env.native, request.source);
  const dst = readDestination(env.sys, env.native, request.destination);
  const range = resolveRange(src, dst, request);
  checkOverlap(src, dst, range);
  checkUnused(env.sys, dst);
  if (request.chunkBytes % range.blockBytes !== 0) {
    throw usageError(`--chunk ${request.chunkBytes} is no multiple of the block size ${range.blockBytes}`);
  }
  await hooks.permit(dst);
  return { src, dst, range };
}

function checkShape({ chunkBytes, depth, retries }: CopyRequest): void {
  if (chunkBytes <= 0 || chunkBytes % CHUNK_UNIT_BYTES !== 0 || chunkBytes > MAX_CHUNK_BYTES) {
    throw usageError(`--chunk ${chunkBytes} must be a multiple of ${CHUNK_UNIT_BYTES} up to 1 GiB`);
  }
  if (depth !== undefined && !(Number.isInteger(depth) && depth >= 1 && depth <= MAX_DEPTH)) {
    throw usageError(`--depth ${depth} must be a whole number from 1 to ${MAX_DEPTH}`);
  }
  if (!Number.isInteger(retries) || retries < 0) throw usageError("--retries must be a whole number from 0");
}

/** No more slots than chunks; a tail needs two blocks, so at least two slots then. */
function plan(
  env: CopyEnvironment,
  request: CopyRequest,
  src: Endpoint,
  dst: Endpoint,
  range: CopyRange,
): Route {
  const chunks = (range.bodyBytes + BigInt(request.chunkBytes) - 1n) / BigInt(request.chunkBytes);
  const most = chunks < BigInt(MAX_DEPTH) ? Number(chunks) : MAX_DEPTH;
  const least = range.tailBytes > 0 ? 2 : 1;
  const depth = Math.max(least, Math.min(most, request.depth ?? DEFAULT_DEPTH));
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

async function move(
  native: Native,
  request: CopyRequest,
  files: Files,
  route: Route,
  range: CopyRange,
  src: Endpoint,
  dst: Endpoint,
  hooks: CopyHooks,
): Promise<EngineProgress> {
  const { srcOffset, dstOffset, bodyBytes, blockBytes } = range;
  const extents = [{ srcOffset, dstOffset, lengthBytes: bodyBytes }];
  const run = startEngine(native, request.engine, {
    ...files,
    slots: route.staging.slots.slice(0, request.depth ?? route.depth),
    extents,
    bitmap: Buffer.alloc(bitmapBytes(extents, request.chunkBytes)),
    chunkBytes: request.chunkBytes,
    blockBytes,
    retries: request.retries,
    fixedBuffers: route.via === "ram",
  });
  hooks.onStart?.(run);
  const ticker = setInterval(() => hooks.onProgress?.(run.progress(), range), PROGRESS_INTERVAL_MS);
  try {
    const result = await run.done;
    hooks.onProgress?.(run.progress(), range);
    if (result.outcome === "cancelled") throw interrupted(run.progress(), range, dst);
    if (result.outcome === "failed") throw failed(result.errors[0], result.failedChunks, src, dst);
  } finally {
    clearInterval(ticker);
  }
  if (range.tailBytes > 0) copyLastBlock(native, files, route, range, src, dst);
  return run.progress();
}

function copyLastBlock(
  native: Native,
  files: Files,
  route: Route,
  range: CopyRange,
  src: Endpoint,
  dst: Endpoint,
): void {
  const [srcSlot, dstSlot] = route.staging.slots;
  if (!srcSlot || !dstSlot) throw new RangeError("a tail needs two staging slots");
  native.copyTail({
    ...files,
    srcOffset: range.srcOffset + range.bodyBytes,
    dstOffset: range.dstOffset + range.bodyBytes,
    lengthBytes: range.tailBytes,
    srcBlockBytes: src.blockBytes,
    dstBlockBytes: dst.blockBytes,
    srcSlot,
    dstSlot,
  });
}

function failed(error: ChunkError | undefined, count: bigint, src: Endpoint, dst: Endpoint): P2pdmaError {
  if (!error)
    return new P2pdmaError("COPY_FAILED", ExitCode.failed, `Cannot copy "${src.path}" to "${dst.path}"`);
  const isRead = error.direction === "read";
  const [verb, path, at] = isRead
    ? ["read", src.path, error.srcOffset]
    : ["write", dst.path, error.dstOffset];
  const what = `Cannot ${verb} "${path}" at ${at} (${error.lengthBytes} bytes)`;
  return new P2pdmaError("COPY_FAILED", ExitCode.failed, `${what}: ${reasonOf(error)}`, {
    hint: `${count} chunks failed; the destination is incomplete`,
  });
}

/** ENODATA has two meanings here: a bad medium, or a source that is shorter than it was. */
function reasonOf({ errno, direction, attempts, madeNoProgress }: ChunkError): string {
  if (madeNoProgress)
    return direction === "read" ? "the source ended early" : "the destination takes nothing more";
  return `${errnoName(errno)} (${errnoText(errno)}) after ${attempts} tries`;
}

function interrupted(progress: EngineProgress, range: CopyRange, dst: Endpoint): P2pdmaError {
  const share = `${progress.bytesWritten} of ${range.lengthBytes} bytes`;
  return new P2pdmaError("INTERRUPTED", ExitCode.interrupted, `Interrupted: "${dst.path}" holds ${share}`);
}
