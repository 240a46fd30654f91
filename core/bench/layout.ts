// SPDX-License-Identifier: MIT
import { type MemoryRange, PAGE_BYTES } from "../../ffi/index.ts";

/**
 * How p2pmem and RAM share a request: alternating: spread evenly; halves: p2pmem first, then RAM; single: one page
 * of p2pmem in the middle of the rest; plain: all of one kind.
 */
export type MixedLayout = "alternating" | "halves" | "single" | "plain";

export interface Mixture {
  readonly layout: MixedLayout;
  /** For each page of the request: is it p2pmem? */
  readonly pages: readonly boolean[];
}

/** Most pieces that one request may have: IOV_MAX. */
export const MOST_PIECES = 1024;

/**
 * Every mixture of so many pages, each once.
 * @param shares percent of p2pmem; those that come to the same number of pages are one.
 */
export function mixtures(pages: number, shares: readonly number[]): Mixture[] {
  const counts = [...new Set(shares.map((share) => Math.round((share / 100) * pages)))].sort((a, b) => a - b);
  const mixed = counts.flatMap((count): Mixture[] => {
    if (count === 0 || count === pages) return [make("plain", pages, () => count > 0)];
    return [
      make("alternating", pages, (page) => spread(page + 1, count, pages) > spread(page, count, pages)),
      make("halves", pages, (page) => page < count),
    ];
  });
  if (pages < 3 || counts.every((count) => count === 0 || count === pages)) return mixed;
  return [...mixed, make("single", pages, (page) => page === pages >> 1)];
}

/** Percent of the pages that are p2pmem. */
export function shareOf({ pages }: Mixture): number {
  return (pages.filter(Boolean).length / pages.length) * 100;
}

/** Pieces of a mixture in two buffers, neighbours of one kind together. Each page lies at its own offset in its buffer. */
export function piecesOf({ pages }: Mixture, p2pmem: MemoryRange, ram: MemoryRange): MemoryRange[] {
  const pieces: { mapping: MemoryRange["mapping"]; offsetBytes: number; lengthBytes: number }[] = [];
  for (const [page, isP2pmem] of pages.entries()) {
    const { mapping, offsetBytes } = isP2pmem ? p2pmem : ram;
    const last = pieces.at(-1);
    if (last?.mapping === mapping) last.lengthBytes += PAGE_BYTES;
    else pieces.push({ mapping, offsetBytes: offsetBytes + page * PAGE_BYTES, lengthBytes: PAGE_BYTES });
  }
  return pieces;
}

function spread(page: number, count: number, pages: number): number {
  return Math.floor((page * count) / pages);
}

function make(layout: MixedLayout, pages: number, isP2pmem: (page: number) => boolean): Mixture {
  return { layout, pages: Array.from({ length: pages }, (_, page) => isP2pmem(page)) };
}
