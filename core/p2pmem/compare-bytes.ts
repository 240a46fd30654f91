// SPDX-License-Identifier: MIT
import { interrupted, type PassWatch } from "./memtest-pass.ts";

/** Bytes that can be read anywhere: a held buffer, a file. */
export interface ReadableBytes {
  readonly sizeBytes: bigint;
  /** Exactly these bytes. */
  read(offset: number, length: number): Promise<Buffer>;
}

/** What a comparison found. */
export interface Comparison {
  /** As many as both have. */
  readonly comparedBytes: bigint;
  readonly differingBytes: bigint;
  /** Where the first of them is; undefined when none differ. */
  readonly firstDifference: bigint | undefined;
}

const PART_BYTES = 64 * 1024;

/** Compares from the start of both to the end of the shorter. @throws P2pdmaError INTERRUPTED */
export async function compareBytes(
  a: ReadableBytes,
  b: ReadableBytes,
  { abort, onBytes }: PassWatch,
): Promise<Comparison> {
  const end = Number(a.sizeBytes < b.sizeBytes ? a.sizeBytes : b.sizeBytes);
  let differing = 0;
  let first: number | undefined;
  for (let at = 0; at < end; at += PART_BYTES) {
    if (abort?.aborted) throw interrupted();
    const length = Math.min(PART_BYTES, end - at);
    const [left, right] = await Promise.all([a.read(at, length), b.read(at, length)]);
    if (!left.equals(right)) {
      const places = differences(left, right);
      first ??= at + (places[0] ?? 0);
      differing += places.length;
    }
    onBytes?.(BigInt(at + length));
  }
  return {
    comparedBytes: BigInt(end),
    differingBytes: BigInt(differing),
    firstDifference: first === undefined ? undefined : BigInt(first),
  };
}

function differences(left: Buffer, right: Buffer): number[] {
  const places: number[] = [];
  for (const [index, byte] of left.entries()) if (byte !== right[index]) places.push(index);
  return places;
}
