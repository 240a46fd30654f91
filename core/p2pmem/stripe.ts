// SPDX-License-Identifier: MIT
import type { Provider } from "./providers.ts";
import type { StagingBuffer } from "./staging.ts";

/**
 * Several buffers as one, their slots taken in turn. Each keeps its own proof; closing the whole closes them all.
 * @param slots how many of all of them, at most
 */
export function stripe(pieces: readonly StagingBuffer[], slots: number): StagingBuffer {
  const [first, ...beside] = pieces;
  if (!first) throw new RangeError("no memory to stripe over");
  const longest = Math.max(...pieces.map((piece) => piece.slots.length));
  const inTurn = Array.from({ length: longest }, (_, index) =>
    pieces.flatMap((piece) => piece.slots[index] ?? []),
  );
  const close = () => {
    for (const piece of pieces) piece.close();
  };
  return { ...first, slots: inTurn.flat().slice(0, slots), beside, close };
}

/** A buffer's pieces: itself, and those beside it. */
export function piecesOf(staging: StagingBuffer): readonly StagingBuffer[] {
  return [staging, ...(staging.beside ?? [])];
}

/** Whose memory it is in; nobody's for RAM. */
export function lendersOf(staging: StagingBuffer): Provider[] {
  return piecesOf(staging).flatMap(({ provider }) => provider ?? []);
}
