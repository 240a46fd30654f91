// SPDX-License-Identifier: MIT
import type { Native } from "../../ffi/index.ts";
import { noPeerToPeer, P2pdmaError } from "../errors.ts";
import type { HeldBuffer } from "../p2pmem/held-buffer.ts";
import type { AllocatorKind, Provider } from "../p2pmem/providers.ts";
import { type StagingBuffer, stageInP2pmem, stageInRam } from "../p2pmem/staging.ts";
import { stripe } from "../p2pmem/stripe.ts";
import type { Machine } from "../topo/index.ts";
import { type Candidate, rankCandidates, type Side } from "./candidates.ts";
import type { Endpoint } from "./endpoint.ts";
import type { NvmeCopyTarget } from "./nvme-copy.ts";
import type { PassthroughTargets } from "./passthrough.ts";
import { probePeer } from "./probe.ts";

/** nvme-copy: the drive copies within itself, and no data leave it. */
export type Via = "auto" | "p2p" | "ram" | "nvme-copy";

export interface RouteRequest {
  readonly via: Via;
  /** PCI address or controller name; several with commas between share the slots; any provider when undefined. */
  readonly provider: string | undefined;
  readonly allocator: AllocatorKind | undefined;
  /** Memory of that provider, to be used instead of taking more. */
  readonly through?: HeldBuffer | undefined;
  readonly chunkBytes: number;
  readonly depth: number;
  /** Never fewer slots than this: a tail needs two. */
  readonly leastDepth: number;
  /** False when the user asked for this depth: then it is that or an error. */
  readonly mayLowerDepth: boolean;
  /** Neighbouring chunks may become one command on their way: the block layer does that when many are in flight. */
  readonly mayMerge: boolean;
}

/** The chosen way of a copy, with its staging memory held. */
export interface Route {
  readonly via: "p2p" | "ram" | "nvme-copy";
  /** For nvme-copy, which needs staging memory only for what is no whole block, and to verify. */
  readonly copyTarget?: NvmeCopyTarget;
  /** For the engine of that name. */
  readonly passthrough?: PassthroughTargets;
  readonly staging: StagingBuffer;
  readonly depth: number;
  readonly reason: string;
  /** What was tried before, and why it could not be. */
  readonly rejected: readonly string[];
}

/**
 * Chooses the memory before the first byte is read. `p2p` never falls back;
 * `auto` takes RAM when no provider serves both ends, and says why.
 * @throws P2pdmaError with exit code 3 when peer-to-peer was demanded and can't be.
 */
export function chooseRoute(
  native: Native,
  machine: Machine,
  src: Endpoint,
  dst: Endpoint,
  request: RouteRequest,
): Route {
  if (request.via === "ram") return throughRam(native, request, "asked for", []);
  const rejected: string[] = [];
  const problem = src.peerProblem ?? dst.peerProblem;
  const candidates = problem ? [] : rankCandidates(machine, src, dst, request.provider);
  if (problem) rejected.push(problem);
  else if (candidates.length === 0) rejected.push("no PCI device of this machine offers p2pmem");
  let firstError: P2pdmaError | undefined;
  const areShared = request.provider?.includes(",") && candidates.length > 0;
  for (const choice of areShared ? [candidates] : candidates.map((one) => [one])) {
    const attempt = tryTogether(native, choice, src, dst, request);
    if (!(attempt instanceof P2pdmaError)) return { ...attempt, rejected };
    firstError ??= attempt;
    rejected.push(attempt.message);
  }
  if (request.via === "p2p") throw impossible(src, dst, rejected, firstError);
  return throughRam(native, request, "peer-to-peer is not possible", rejected);
}

/** One provider, or several that each hold a share of the slots: then all of them must serve both ends. */
function tryTogether(
  native: Native,
  choice: readonly Candidate[],
  src: Endpoint,
  dst: Endpoint,
  request: RouteRequest,
): Omit<Route, "rejected"> | P2pdmaError {
  const [only, ...others] = choice;
  if (only && others.length === 0) return tryCandidate(native, only, src, dst, request);
  const ownMemory = choice.find(({ side }) => side !== "third");
  if (ownMemory && request.mayMerge) return wouldMix(ownMemory);
  const share = { ...request, depth: Math.ceil(request.depth / choice.length) };
  const pieces: StagingBuffer[] = [];
  for (const candidate of choice) {
    const attempt = tryCandidate(native, candidate, src, dst, share);
    if (attempt instanceof P2pdmaError) {
      for (const piece of pieces) piece.close();
      return attempt;
    }
    pieces.push(attempt.staging);
  }
  const staging = stripe(pieces, request.depth);
  return { via: "p2p", reason: `memory of ${pieces.length} devices`, staging, depth: staging.slots.length };
}

function tryCandidate(
  native: Native,
  candidate: Candidate,
  src: Endpoint,
  dst: Endpoint,
  request: RouteRequest,
): Omit<Route, "rejected"> | P2pdmaError {
  const { provider } = candidate;
  const staged = request.through
    ? borrow(request.through, request)
    : stageLowering(native, provider, request);
  if (staged instanceof P2pdmaError) return staged;
  const [slot] = staged.staging.slots;
  const refusal =
    slot &&
    (probePeer(native, src, provider, slot, candidate.source) ??
      probePeer(native, dst, provider, slot, candidate.destination));
  if (!refusal) return { via: "p2p", reason: SIDE_WORDS[candidate.side], ...staged };
  staged.staging.close();
  return noPeerToPeer("P2P_REFUSED", refusal);
}

/**
 * Neighbouring chunks lie in different devices' memory. Merged, their command mixes it, which a drive need not take where
 * its own CMB is part of the mixture (CMBLOC.CDMMMS); every other drive sees nothing but PCI addresses.
 */
function wouldMix({ provider, side }: Candidate): P2pdmaError {
  const what = `${provider.bdf} (${provider.name}) can't share the chunks out with others: it is the copy's ${side}`;
  return noPeerToPeer(
    "P2P_REFUSED",
    `${what}, and the block layer may merge chunks in its memory with others'`,
    {
      hint: "name devices that are neither source nor destination, or add --engine passthrough, which merges nothing",
    },
  );
}

/** As many slots of a held buffer as are asked for, or fewer where that is left to us. */
function borrow(
  held: HeldBuffer,
  { chunkBytes, depth, leastDepth, mayLowerDepth }: RouteRequest,
): { staging: StagingBuffer; depth: number } | P2pdmaError {
  try {
    const staging = held.lend(chunkBytes, depth, mayLowerDepth ? leastDepth : depth);
    return { staging, depth: staging.slots.length };
  } catch (error) {
    if (error instanceof P2pdmaError) return error;
    throw error;
  }
}

/** Halves the depth until the buffer fits, when the user left it to us. */
function stageLowering(
  native: Native,
  provider: Provider,
  request: RouteRequest,
): { staging: StagingBuffer; depth: number } | P2pdmaError {
  for (let depth = request.depth; ; depth = Math.max(request.leastDepth, Math.floor(depth / 2))) {
    try {
      const staging = stageInP2pmem(native, provider, request.chunkBytes, depth, request.allocator);
      return { staging, depth };
    } catch (error) {
      if (!(error instanceof P2pdmaError)) throw error;
      const isFull = error.code === "NO_P2PMEM" && depth > request.leastDepth;
      if (!isFull || !request.mayLowerDepth) return error;
    }
  }
}

const SIDE_WORDS: Readonly<Record<Side, string>> = {
  destination: "the destination's own memory",
  source: "the source's own memory",
  third: "memory of a third device",
};

function throughRam(
  native: Native,
  request: RouteRequest,
  reason: string,
  rejected: readonly string[],
): Route {
  const staging = stageInRam(native, request.chunkBytes, request.depth);
  return { via: "ram", staging, depth: request.depth, reason, rejected };
}

function impossible(
  src: Endpoint,
  dst: Endpoint,
  rejected: readonly string[],
  firstError: P2pdmaError | undefined,
): P2pdmaError {
  const code = firstError?.code ?? "P2P_REFUSED";
  const hint = firstError?.hint ?? "--via ram copies through system RAM instead";
  const reasons = [...new Set(rejected)].join("; ");
  return noPeerToPeer(code, `Cannot copy peer-to-peer from "${src.path}" to "${dst.path}": ${reasons}`, {
    hint,
    cause: firstError,
  });
}
