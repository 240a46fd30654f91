// SPDX-License-Identifier: MIT
import { type MemoryRange, type Native, PAGE_BYTES } from "../../ffi/index.ts";
import { expectOf } from "../copy/candidates.ts";
import type { Endpoint } from "../copy/endpoint.ts";
import { probePeer } from "../copy/probe.ts";
import { noPeerToPeer, P2pdmaError } from "../errors.ts";
import { findProvider, type Provider } from "../p2pmem/providers.ts";
import { type StagingBuffer, stageInP2pmem, stageInRam } from "../p2pmem/staging.ts";
import { type Machine, providersOf } from "../topo/index.ts";
import { type LinkLimit, linkToPeer, linkToRam, narrower } from "./link.ts";
import type { MemoryRequest } from "./request.ts";

/** Memory that the workload goes through, held for the whole run so that ways can take turns. */
export interface Way {
  /** Unique in a run: `ram`, or the provider's name, or its address where that is not unique. */
  readonly id: string;
  readonly via: "p2p" | "ram";
  readonly provider: Provider | undefined;
  readonly memory: StagingBuffer;
  /** The narrowest PCIe link that the data cross; undefined where there is none or it is not known. */
  readonly link: LinkLimit | undefined;
}

/** A way that can't be gone, and why. */
export interface RefusedWay {
  readonly id: string;
  readonly reason: string;
}

export interface Ways {
  readonly open: readonly Way[];
  readonly refused: readonly RefusedWay[];
}

/**
 * Holds memory in each place that was asked for, as much as the largest of the points needs or as fits.
 * @param sizes bytes that the points need, largest first.
 * @throws P2pdmaError NO_P2PMEM for a named provider that is none.
 */
export function openWays(
  native: Native,
  machine: Machine,
  ends: readonly Endpoint[],
  request: MemoryRequest,
  sizes: readonly number[],
): Ways {
  const open: Way[] = [];
  const refused: RefusedWay[] = [];
  const providers = request.vias.includes("p2p") ? wantedProviders(machine, request.providers) : [];
  try {
    for (const provider of providers) {
      const id = idOf(machine, provider);
      const way = tryProvider(native, machine, ends, request, provider, sizes);
      if (typeof way === "string") refused.push({ id, reason: way });
      else open.push({ id, ...way });
    }
    if (request.vias.includes("ram")) open.push(throughRam(native, machine, ends, sizes));
    return { open, refused };
  } catch (error) {
    for (const { memory } of open) memory.close();
    throw error;
  }
}

/** @throws P2pdmaError with exit code 3 when p2p was asked for and no provider serves, or not the one that was named. */
export function demandPeerToPeer({ open, refused }: Ways, { vias, providers }: MemoryRequest): void {
  const isDemanded = vias.every((via) => via === "p2p") && open.length === 0;
  if (!isDemanded && (providers.length === 0 || refused.length === 0)) return;
  const reasons = [...new Set(refused.map(({ reason }) => reason))].join("; ");
  const why = reasons || "no PCI device of this machine offers p2pmem";
  throw noPeerToPeer("P2P_REFUSED", `Cannot measure peer-to-peer: ${why}`, {
    hint: "p2pdma topo shows who reaches whose memory",
  });
}

/** The kernel kept requests when their ring broke down: their memory must stay mapped until the process ends. */
export class StuckRequestsError extends Error {
  override readonly name = "StuckRequestsError";
}

/** Gives memory back whatever happens, unless the kernel may still write to it. */
export async function closing<T>(
  held: readonly Pick<StagingBuffer, "close">[],
  work: () => Promise<T>,
): Promise<T> {
  let isStuck = false;
  try {
    return await work();
  } catch (error) {
    isStuck = error instanceof StuckRequestsError;
    throw error;
  } finally {
    if (!isStuck) for (const memory of held) memory.close();
  }
}

/** Slots of one chunk each; undefined when the memory is too small for so many. */
export function slotsOf({ memory }: Way, chunkBytes: number, depth: number): MemoryRange[] | undefined {
  const { mapping } = memory;
  if (chunkBytes * depth > mapping.lengthBytes) return undefined;
  return Array.from({ length: depth }, (_, slot) => ({
    mapping,
    offsetBytes: slot * chunkBytes,
    lengthBytes: chunkBytes,
  }));
}

function wantedProviders(machine: Machine, wanted: readonly string[]): Provider[] {
  const all = providersOf(machine).flatMap(({ provider }) => provider ?? []);
  if (wanted.length === 0) return all;
  const found = wanted.map((name) => {
    const provider = findProvider(all, name);
    if (provider) return provider;
    throw noPeerToPeer("NO_P2PMEM", `"${name}" offers no p2pmem`, { hint: "p2pdma list shows who does" });
  });
  return [...new Set(found)];
}

function idOf(machine: Machine, provider: Provider): string {
  return machine.devices.find(({ bdf }) => bdf === provider.bdf)?.name ?? provider.bdf;
}

/** @returns the way, or why it can't be gone. */
function tryProvider(
  native: Native,
  machine: Machine,
  ends: readonly Endpoint[],
  request: MemoryRequest,
  provider: Provider,
  sizes: readonly number[],
): Omit<Way, "id"> | string {
  const problem = ends.map(({ peerProblem }) => peerProblem).find(Boolean);
  if (problem) return problem;
  const memory = stageLargest(native, provider, request, sizes);
  if (typeof memory === "string") return memory;
  const [slot] = memory.slots;
  const refusals = ends.map((end) => {
    const expected = expectOf(machine, provider, end.device?.client);
    return slot && probePeer(native, end, provider, slot, expected);
  });
  const refusal = refusals.find(Boolean);
  if (refusal) {
    memory.close();
    return refusal;
  }
  const links = ends.map((end) => {
    const expected = expectOf(machine, provider, end.device?.client);
    return expected && linkToPeer(machine, expected.verdict);
  });
  return { via: "p2p", provider, memory, link: links.reduce(narrower, undefined) };
}

/** As much as the largest point needs, else the next one, until it fits. */
function stageLargest(
  native: Native,
  provider: Provider,
  { allocator }: MemoryRequest,
  sizes: readonly number[],
): StagingBuffer | string {
  let problem = `"${provider.bdf}" has no p2pmem to spare`;
  for (const bytes of sizes) {
    try {
      return stageInP2pmem(native, provider, PAGE_BYTES, bytes / PAGE_BYTES, allocator);
    } catch (error) {
      if (!(error instanceof P2pdmaError)) throw error;
      problem = error.message;
      if (error.code !== "NO_P2PMEM") break;
    }
  }
  return problem;
}

function throughRam(
  native: Native,
  machine: Machine,
  ends: readonly Endpoint[],
  [largest = PAGE_BYTES]: readonly number[],
): Way {
  const links = ends.map(({ device }) => device?.client && linkToRam(machine, device.client));
  return {
    id: "ram",
    via: "ram",
    provider: undefined,
    memory: stageInRam(native, PAGE_BYTES, largest / PAGE_BYTES),
    link: links.map((link) => link || undefined).reduce(narrower, undefined),
  };
}
