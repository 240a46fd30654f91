// SPDX-License-Identifier: MIT
import type { Bdf } from "../pci/bdf.ts";
import type { Verdict } from "../pci/rules.ts";
import { type PciFunction, type PciLink, pathUp } from "../pci/tree.ts";
import type { Machine } from "../topo/index.ts";

/** The narrowest PCIe link that data cross, one way. */
export interface LinkLimit {
  readonly bdf: Bdf;
  readonly speedGtps: number;
  readonly width: number;
  /** After line encoding; packet headers take some 5 to 20 % of it more, by payload size. */
  readonly bytesPerSecond: number;
}

/** Line encoding: 8b/10b, then 128b/130b, then flits of 256 bytes with 236 for packets. */
const ENCODINGS: readonly (readonly [upToGtps: number, share: number])[] = [
  [5, 8 / 10],
  [32, 128 / 130],
  [Number.POSITIVE_INFINITY, 236 / 256],
];

/** What a link carries one way, in bytes per second. */
export function linkBytesPerSecond({ speedGtps, width }: Pick<PciLink, "speedGtps" | "width">): number {
  const [, share] = ENCODINGS.find(([upTo]) => speedGtps <= upTo) ?? [0, 1];
  return ((speedGtps * 1e9 * share) / 8) * width;
}

/** Between a client and memory of the machine: all links up to the root complex. */
export function linkToRam({ tree }: Machine, client: Bdf): LinkLimit | undefined {
  return narrowest(pathUp(tree, client));
}

/** Between a client and a provider, the way that the verdict found; undefined for the provider itself. */
export function linkToPeer({ tree }: Machine, { hops }: Verdict): LinkLimit | undefined {
  const crossed = hops.filter(({ role }) => role !== "common-bridge");
  return crossed.length < 2
    ? undefined
    : narrowest(crossed.flatMap(({ bdf }) => tree.functions.get(bdf) ?? []));
}

/** The narrower one of two; a way without a link limits nothing. */
export function narrower(a: LinkLimit | undefined, b: LinkLimit | undefined): LinkLimit | undefined {
  if (!a || !b) return a ?? b;
  return b.bytesPerSecond < a.bytesPerSecond ? b : a;
}

function narrowest(functions: readonly PciFunction[]): LinkLimit | undefined {
  const limits = functions.flatMap(({ bdf, link }) => (link && isTold(link) ? [limitOf(bdf, link)] : []));
  return limits.reduce<LinkLimit | undefined>(narrower, undefined);
}

/** A function inside the root complex has no link, and says 0. */
function isTold({ speedGtps, width }: PciLink): boolean {
  return speedGtps > 0 && width > 0;
}

function limitOf(bdf: Bdf, link: PciLink): LinkLimit {
  const { speedGtps, width } = link;
  return { bdf, speedGtps, width, bytesPerSecond: linkBytesPerSecond(link) };
}
