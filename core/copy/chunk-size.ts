// SPDX-License-Identifier: MIT
import { readMachine } from "../topo/index.ts";
import { START_DEPTH } from "./adaptive-depth.ts";
import { rankCandidates } from "./candidates.ts";
import { type Endpoint, readDestination, readSource } from "./endpoint.ts";
import type { CopyEnvironment, CopyRequest } from "./request.ts";

/** Below, the work for each command outweighs that for its bytes. */
const LEAST_BYTES = 16 << 10;

export interface ChunkLimits {
  /** Most that either drive takes in one command; undefined where that is not known. */
  readonly commandBytes: number | undefined;
  /** Of the p2pmem that the copy would go through; undefined for RAM. */
  readonly stagingBytes: number | undefined;
  /** Larger of the two sides' block sizes. */
  readonly blockBytes: number;
}

/**
 * A chunk no larger than wished that goes in one command, and of which 16 fit into the staging memory: what is in
 * flight decides the speed, and small chunks come round sooner. A power of two, 16 KiB or a block at least.
 */
export function chunkWithin(wishedBytes: number, limits: ChunkLimits): number {
  const { commandBytes = Infinity, stagingBytes = Infinity, blockBytes } = limits;
  const least = Math.max(LEAST_BYTES, blockBytes);
  const fits = (bytes: number) => bytes <= commandBytes && bytes * START_DEPTH <= stagingBytes;
  let bytes = wishedBytes;
  while (bytes / 2 >= least && !fits(bytes)) bytes /= 2;
  return bytes;
}

/** The request with a chunk that suits the drives and the memory, where the user left it to us. */
export function settleChunk(env: CopyEnvironment, request: CopyRequest): CopyRequest {
  if (!request.mayLowerChunk) return request;
  const src = readSource(env.sys, env.native, request.source);
  const dst = readDestination(env.sys, env.native, request.destination);
  const chunkBytes = chunkWithin(request.chunkBytes, {
    commandBytes: leastOf([src, dst].map((end) => commandBytesOf(env, end))),
    stagingBytes: stagingBytesFor(env, request, src, dst),
    blockBytes: Math.max(src.blockBytes, dst.blockBytes),
  });
  return { ...request, chunkBytes };
}

function leastOf(limits: readonly (number | undefined)[]): number | undefined {
  const known = limits.filter((limit) => limit !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}

/** MDTS, as the driver understood it. */
function commandBytesOf({ sys }: CopyEnvironment, { device }: Endpoint): number | undefined {
  const kib = device && sys.integer(`/sys/class/block/${device.disk}/queue/max_hw_sectors_kb`);
  return kib ? Number(kib) * 1024 : undefined;
}

function stagingBytesFor(
  env: CopyEnvironment,
  request: CopyRequest,
  src: Endpoint,
  dst: Endpoint,
): number | undefined {
  if (request.through) return Number(request.through.sizeBytes);
  if (request.via === "ram" || src.peerProblem || dst.peerProblem) return undefined;
  const candidates = rankCandidates(readMachine(env.sys), src, dst, request.provider);
  // Several that were named share the slots; else the best lends all.
  const lenders = request.provider === undefined ? candidates.slice(0, 1) : candidates;
  return lenders.length === 0
    ? undefined
    : lenders.reduce((sum, { provider }) => sum + Number(provider.availableBytes), 0);
}
