// SPDX-License-Identifier: MIT
import { noPeerToPeer, usageError } from "../errors.ts";
import { findProvider, type Provider } from "../p2pmem/providers.ts";
import type { Bdf } from "../pci/bdf.ts";
import { type MapType, predict, type Verdict } from "../pci/rules.ts";
import { explainVerdict, type Machine, providersOf } from "../topo/index.ts";
import type { Endpoint } from "./endpoint.ts";

/** Whose memory it is, seen from the copy. */
export type Side = "destination" | "source" | "third";

/** What the kernel should say of one end's DMA into a provider's memory, and why. */
export interface Expectation {
  readonly verdict: Verdict;
  readonly reason: string;
}

/** A provider that a copy could go through, with what is expected of it. */
export interface Candidate {
  readonly provider: Provider;
  readonly side: Side;
  /** Undefined for an end that is no PCI device. */
  readonly source: Expectation | undefined;
  readonly destination: Expectation | undefined;
  readonly sharesNumaNode: boolean;
}

/**
 * Lists providers, best first: those the kernel should allow for both ends; then the most direct way (below one
 * switch before through the host bridge); the destination's memory before the source's before others, since a
 * source's DMA writes are posted and a destination's DMA reads are not; the smaller distance; the same NUMA node;
 * more free memory.
 * @param wanted PCI address or controller name, or several with commas between: only these.
 * @throws P2pdmaError NO_P2PMEM when a wanted one offers none, USAGE when one is named twice.
 */
export function rankCandidates(
  machine: Machine,
  src: Endpoint,
  dst: Endpoint,
  wanted: string | undefined,
): Candidate[] {
  const all = providersOf(machine).flatMap(({ provider }) => provider ?? []);
  const providers = wanted === undefined ? all : demandAll(all, wanted.split(","));
  const candidates = providers.map((provider) => describe(machine, provider, src, dst));
  return candidates.sort((a, b) => compare(keyOf(a), keyOf(b)));
}

function demandAll(providers: readonly Provider[], wanted: readonly string[]): Provider[] {
  const found = wanted.map((name) => demand(providers, name));
  const twice = found.find(({ bdf }, index) => found.findIndex((one) => one.bdf === bdf) < index);
  if (twice) throw usageError(`--provider names ${twice.bdf} (${twice.name}) twice`);
  return found;
}

function demand(providers: readonly Provider[], wanted: string): Provider {
  const found = findProvider(providers, wanted);
  if (found) return found;
  throw noPeerToPeer("NO_P2PMEM", `"${wanted}" offers no p2pmem`, { hint: "p2pdma list shows who does" });
}

function describe(machine: Machine, provider: Provider, src: Endpoint, dst: Endpoint): Candidate {
  const [source, destination] = [src, dst].map(({ device }) => expectOf(machine, provider, device?.client));
  const nodeOf = (bdf: Bdf | undefined) => bdf && machine.tree.functions.get(bdf)?.numaNode;
  const node = nodeOf(provider.bdf);
  const sharesNumaNode = [src, dst].every(({ device }) => nodeOf(device?.client) === node);
  return { provider, side: sideOf(provider, src, dst), source, destination, sharesNumaNode };
}

/** What the rules say of a client's DMA into a provider's memory; undefined for what is no PCI device. */
export function expectOf(
  machine: Machine,
  { bdf }: Provider,
  client: Bdf | undefined,
): Expectation | undefined {
  if (!client) return undefined;
  const verdict = predict(machine.tree, machine.host.platform, bdf, client);
  return { verdict, reason: explainVerdict(machine, verdict) };
}

function sideOf({ bdf }: Provider, src: Endpoint, dst: Endpoint): Side {
  if (bdf === dst.device?.client) return "destination";
  return bdf === src.device?.client ? "source" : "third";
}

const MAP_RANK: Readonly<Record<MapType, number>> = { BUS_ADDR: 0, THRU_HOST_BRIDGE: 2, NOT_SUPPORTED: 3 };
const UNKNOWN_RANK = 1;
const SIDE_RANK: Readonly<Record<Side, number>> = { destination: 0, source: 1, third: 2 };

/** The kernel's refusals come last instead of being dropped: it has the final word, and a prediction may be wrong. */
function keyOf({ provider, side, source, destination, sharesNumaNode }: Candidate): number[] {
  const verdicts = [source, destination].flatMap((end) => end?.verdict ?? []);
  const worst = Math.max(0, ...verdicts.map(({ mapType }) => (mapType ? MAP_RANK[mapType] : UNKNOWN_RANK)));
  const distance = verdicts.reduce((sum, verdict) => sum + (verdict.distance ?? 0), 0);
  return [worst, SIDE_RANK[side], distance, sharesNumaNode ? 0 : 1, -Number(provider.availableBytes)];
}

function compare(a: readonly number[], b: readonly number[]): number {
  const index = a.findIndex((value, at) => value !== b[at]);
  return index < 0 ? 0 : (a[index] ?? 0) - (b[index] ?? 0);
}
