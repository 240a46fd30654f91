// SPDX-License-Identifier: MIT
import { PAGE_BYTES } from "../../ffi/index.ts";
import { type Candidate, rankCandidates, type Side } from "../copy/candidates.ts";
import type { Endpoint } from "../copy/endpoint.ts";
import { depthOf } from "../copy/prepare.ts";
import type { CopyRange } from "../copy/range.ts";
import type { CopyRequest } from "../copy/request.ts";
import { noPeerToPeer } from "../errors.ts";
import type { Bdf } from "../pci/bdf.ts";
import type { Machine } from "../topo/index.ts";
import { formatBytes } from "../units.ts";
import { crossedUplinks } from "./uplinks.ts";

/** The way a copy will be told to go, so that what is reserved for it is what it takes. */
export interface PlannedRoute {
  readonly via: "p2p" | "ram" | "nvme-copy";
  readonly provider: { readonly bdf: Bdf; readonly name: string; readonly side: Side } | undefined;
  readonly depth: number;
  readonly stagingBytes: bigint;
  readonly uplinks: readonly Bdf[];
  /** Why it is not peer-to-peer, where it could have been. */
  readonly reason: string | undefined;
}

/**
 * Plans one copy by the kernel's rules, as `p2pdma copy` would, but for good: the provider and the depth are settled.
 * @param capacityOf the bytes of a provider's memory that one copy may take at most
 * @throws P2pdmaError with exit code 3 when peer-to-peer is demanded and no provider can serve it
 */
export function planPairRoute(
  machine: Machine,
  request: CopyRequest,
  { src, dst, range }: { src: Endpoint; dst: Endpoint; range: CopyRange },
  capacityOf: (provider: Bdf) => bigint,
): PlannedRoute {
  const { least, depth } = depthOf(request, range);
  const clients = [src, dst].flatMap(({ device }) => device?.client ?? []);
  const ram = (reason: string | undefined): PlannedRoute => ({
    ...{ via: "ram", provider: undefined, depth, reason, stagingBytes: stagingBytes(request, depth) },
    uplinks: crossedUplinks(machine.tree, clients, []),
  });
  if (request.via === "ram") return ram(undefined);
  if (request.via === "nvme-copy") {
    return { via: "nvme-copy", provider: undefined, depth, stagingBytes: 0n, uplinks: [], reason: undefined };
  }
  const reasons: string[] = [];
  for (const candidate of candidatesOf(machine, request, src, dst, reasons)) {
    const { provider, side } = candidate;
    const capacity = capacityOf(provider.bdf);
    const fitting = fit(request, request.depth === undefined ? least : depth, depth, capacity);
    if (fitting === undefined) {
      reasons.push(tooSmall(candidate, request, depth, least, capacity));
      continue;
    }
    const legs = [candidate.source, candidate.destination].flatMap((end) => end?.verdict ?? []);
    return {
      ...{ via: "p2p", provider: { bdf: provider.bdf, name: provider.name, side }, depth: fitting },
      ...{ stagingBytes: stagingBytes(request, fitting), reason: undefined },
      uplinks: crossedUplinks(machine.tree, clients, legs),
    };
  }
  const reason = [...new Set(reasons)].join("; ");
  if (request.via === "auto") return ram(reason);
  throw noPeerToPeer("P2P_REFUSED", `no way peer-to-peer: ${reason}`, {
    hint: "via: ram copies through system RAM; via: auto does so where it must",
  });
}

/** Those that the rules allow; a provider that the plan names is taken at its word, as the kernel decides in the end. */
function candidatesOf(
  machine: Machine,
  request: CopyRequest,
  src: Endpoint,
  dst: Endpoint,
  reasons: string[],
): Candidate[] {
  const problem = src.peerProblem ?? dst.peerProblem;
  if (problem) reasons.push(problem);
  const all = problem ? [] : rankCandidates(machine, src, dst, request.provider);
  if (!problem && all.length === 0) reasons.push("no PCI device of this machine offers p2pmem");
  if (request.provider !== undefined) return all;
  return all.filter(({ provider, source, destination }) => {
    const refusal = [source, destination].find((end) => end?.verdict.mapType === "NOT_SUPPORTED");
    if (refusal) reasons.push(`${provider.name}: ${refusal.reason}`);
    return !refusal;
  });
}

/** The largest depth that fits, halving from the wanted one; undefined when not even the least does. */
function fit(request: CopyRequest, least: number, wanted: number, capacity: bigint): number | undefined {
  for (let depth = wanted; ; depth = Math.max(least, Math.floor(depth / 2))) {
    if (stagingBytes(request, depth) <= capacity) return depth;
    if (depth <= least) return undefined;
  }
}

/** As the copy maps them: each slot begins at a page. */
function stagingBytes({ chunkBytes }: CopyRequest, depth: number): bigint {
  return BigInt(Math.ceil(chunkBytes / PAGE_BYTES) * PAGE_BYTES) * BigInt(depth);
}

function tooSmall(
  { provider }: Candidate,
  request: CopyRequest,
  depth: number,
  least: number,
  capacity: bigint,
): string {
  const needed = stagingBytes(request, request.depth === undefined ? least : depth);
  return `${provider.name} has ${formatBytes(capacity)} of p2pmem for this job, ${formatBytes(needed)} are needed`;
}
