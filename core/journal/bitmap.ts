// SPDX-License-Identifier: MIT
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { bitmapBytes, type Extent } from "../../ffi/index.ts";

/** Nothing done yet. */
export function emptyBitmap(extents: readonly Extent[], chunkBytes: number): Buffer {
  return Buffer.alloc(bitmapBytes(extents, chunkBytes));
}

export function packBits(bitmap: Uint8Array): string {
  return deflateRawSync(bitmap).toString("base64");
}

/** @throws RangeError when it does not unpack to exactly `lengthBytes`. */
export function unpackBits(text: string, lengthBytes: number): Buffer {
  const bits = inflateRawSync(Buffer.from(text, "base64"), { maxOutputLength: lengthBytes + 1 });
  if (bits.length !== lengthBytes) throw new RangeError(`${bits.length} bytes of bitmap, not ${lengthBytes}`);
  return bits;
}

/** The stretches whose chunks are all done, or all not done, neighbours merged; in order. */
export function stretches(
  extents: readonly Extent[],
  chunkBytes: number,
  bitmap: Uint8Array,
  done: boolean,
): Extent[] {
  const found: Extent[] = [];
  const chunk = BigInt(chunkBytes);
  let index = 0;
  for (const extent of extents) {
    for (let at = 0n; at < extent.lengthBytes; ) {
      const isDone = hasBit(bitmap, index);
      const skipped = sameByteRun(bitmap, index, extent.lengthBytes - at, chunk, isDone);
      const left = extent.lengthBytes - at;
      const lengthBytes = BigInt(skipped) * chunk < left ? BigInt(skipped) * chunk : left;
      if (isDone === done) append(found, extent, at, lengthBytes);
      index += skipped;
      at += lengthBytes;
    }
  }
  return found;
}

/** No shifts of the index: a bitmap may have more than 2^31 bits. */
function hasBit(bitmap: Uint8Array, index: number): boolean {
  return ((bitmap[Math.floor(index / 8)] ?? 0) & (1 << (index % 8))) !== 0;
}

/** How many chunks from here are alike, at most to the end of the extent; bytes of equal bits go fast. */
function sameByteRun(
  bitmap: Uint8Array,
  from: number,
  leftBytes: bigint,
  chunk: bigint,
  isDone: boolean,
): number {
  const most = Number((leftBytes + chunk - 1n) / chunk);
  const full = isDone ? 0xff : 0;
  let run = 0;
  while (run < most) {
    const index = from + run;
    if (index % 8 === 0 && bitmap[index / 8] === full) run += 8;
    else if (hasBit(bitmap, index) === isDone) run++;
    else break;
  }
  return Math.min(run, most);
}

function append(found: Extent[], extent: Extent, at: bigint, lengthBytes: bigint): void {
  const last = found.at(-1);
  const srcOffset = extent.srcOffset + at;
  const dstOffset = extent.dstOffset + at;
  const touches =
    last &&
    last.srcOffset + last.lengthBytes === srcOffset &&
    last.dstOffset + last.lengthBytes === dstOffset;
  if (!touches) found.push({ srcOffset, dstOffset, lengthBytes });
  else found[found.length - 1] = { ...last, lengthBytes: last.lengthBytes + lengthBytes };
}

/** What is left of some extents when stretches of them are taken out; both in order of the source. */
export function without(extents: readonly Extent[], holes: readonly Extent[]): Extent[] {
  return extents.flatMap((extent) => {
    const left: Extent[] = [];
    const end = extent.srcOffset + extent.lengthBytes;
    let at = extent.srcOffset;
    const keep = (until: bigint) => {
      const dstOffset = extent.dstOffset + (at - extent.srcOffset);
      if (until > at) left.push({ srcOffset: at, dstOffset, lengthBytes: until - at });
    };
    for (const { srcOffset, lengthBytes } of holes) {
      if (srcOffset + lengthBytes <= at || srcOffset >= end) continue;
      keep(srcOffset);
      at = srcOffset + lengthBytes;
    }
    keep(end);
    return left;
  });
}

/** Clears the bits of all chunks that some stretches touch. */
export function clearChunks(
  extents: readonly Extent[],
  chunkBytes: number,
  bitmap: Buffer,
  touched: readonly Pick<Extent, "srcOffset" | "lengthBytes">[],
): void {
  const chunk = BigInt(chunkBytes);
  let first = 0n;
  for (const { srcOffset, lengthBytes } of extents) {
    for (const range of touched) {
      const from = maximum(range.srcOffset, srcOffset) - srcOffset;
      const to = minimum(range.srcOffset + range.lengthBytes, srcOffset + lengthBytes) - srcOffset;
      for (let index = from / chunk; index * chunk < to; index++) {
        const bit = Number(first + index);
        const byte = Math.floor(bit / 8);
        bitmap[byte] = (bitmap[byte] ?? 0) & ~(1 << (bit % 8));
      }
    }
    first += (lengthBytes + chunk - 1n) / chunk;
  }
}

function maximum(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function minimum(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

/** Bytes in a list of extents. */
export function sumBytes(extents: readonly { readonly lengthBytes: bigint }[]): bigint {
  return extents.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0n);
}
