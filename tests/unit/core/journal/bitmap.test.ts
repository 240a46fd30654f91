// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  clearChunks,
  emptyBitmap,
  packBits,
  stretches,
  sumBytes,
  unpackBits,
  without,
} from "../../../../core/journal/bitmap.ts";
import type { Extent } from "../../../../ffi/index.ts";

const extent = (srcOffset: number, lengthBytes: number, shift = 0): Extent => ({
  srcOffset: BigInt(srcOffset),
  dstOffset: BigInt(srcOffset + shift),
  lengthBytes: BigInt(lengthBytes),
});

const plain = (extents: readonly Extent[]) =>
  extents.map(({ srcOffset, dstOffset, lengthBytes }) => [srcOffset, dstOffset, lengthBytes].map(Number));

function bitmapOf(extents: readonly Extent[], chunkBytes: number, done: readonly number[]): Buffer {
  const bitmap = emptyBitmap(extents, chunkBytes);
  for (const chunk of done) bitmap[chunk >> 3] = (bitmap[chunk >> 3] ?? 0) | (1 << (chunk & 7));
  return bitmap;
}

/** What the bitmap means, told chunk by chunk. */
function slowly(extents: readonly Extent[], chunkBytes: number, bitmap: Buffer, done: boolean): Set<number> {
  const found = new Set<number>();
  let index = 0;
  for (const { srcOffset, lengthBytes } of extents) {
    for (let at = 0; at < Number(lengthBytes); at += chunkBytes, index++) {
      const isDone = ((bitmap[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
      const end = Math.min(at + chunkBytes, Number(lengthBytes));
      if (isDone === done) for (let byte = at; byte < end; byte++) found.add(Number(srcOffset) + byte);
    }
  }
  return found;
}

/** A small generator with a seed, so that a failure can be seen again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

test("stretches: neighbours are merged, a short last chunk keeps its length", () => {
  const extents = [extent(0, 40), extent(100, 25, 1000)];
  const bitmap = bitmapOf(extents, 10, [0, 1, 3, 6]);
  assert.equal(plain(stretches(extents, 10, bitmap, true)), [
    [0, 0, 20],
    [30, 30, 10],
    [120, 1120, 5],
  ]);
  assert.equal(plain(stretches(extents, 10, bitmap, false)), [
    [20, 20, 10],
    [100, 1100, 20],
  ]);
});

test("stretches: extents that touch on both sides become one, those that touch on one side only do not", () => {
  const together = [extent(0, 20), extent(20, 20)];
  assert.equal(plain(stretches(together, 10, bitmapOf(together, 10, [0, 1, 2, 3]), true)), [[0, 0, 40]]);
  const apart = [extent(0, 20), extent(20, 20, 7)];
  assert.is(stretches(apart, 10, bitmapOf(apart, 10, [0, 1, 2, 3]), true).length, 2);
});

test("stretches agree with counting byte by byte, on 200 random bitmaps", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const next = random(seed);
    const extents: Extent[] = [];
    for (let at = 0, count = 0; count < 4; count++) {
      const length = 1 + Math.floor(next() * 300);
      extents.push(extent(at, length));
      at += length + Math.floor(next() * 2) * 10;
    }
    const bitmap = emptyBitmap(extents, 10);
    // Long runs of equal bytes, as real copies have them.
    const fill = next() < 0.5;
    for (let byte = 0; byte < bitmap.length; byte++) {
      bitmap[byte] = next() < 0.4 ? Math.floor(next() * 256) : fill ? 0xff : 0;
    }
    for (const done of [true, false]) {
      const bytes = new Set<number>();
      for (const { srcOffset, lengthBytes } of stretches(extents, 10, bitmap, done)) {
        for (let byte = 0; byte < Number(lengthBytes); byte++) bytes.add(Number(srcOffset) + byte);
      }
      assert.equal(bytes, slowly(extents, 10, bitmap, done), `seed ${seed}, done ${done}`);
    }
  }
});

test("without: what is taken out of the middle, at the edges and across two extents", () => {
  const extents = [extent(0, 100, 1000), extent(200, 100, 1000)];
  assert.equal(plain(without(extents, [extent(40, 10)])), [
    [0, 1000, 40],
    [50, 1050, 50],
    [200, 1200, 100],
  ]);
  assert.equal(plain(without(extents, [extent(90, 120)])), [
    [0, 1000, 90],
    [210, 1210, 90],
  ]);
  assert.equal(without(extents, [extent(0, 400)]), []);
  assert.equal(plain(without(extents, [])), plain(extents));
});

test("clearChunks: every chunk that is touched, and no other", () => {
  const extents = [extent(0, 45), extent(100, 30)];
  const all = [0, 1, 2, 3, 4, 5, 6, 7];
  const bitmap = bitmapOf(extents, 10, all);
  clearChunks(extents, 10, bitmap, [
    { srcOffset: 19n, lengthBytes: 2n },
    { srcOffset: 44n, lengthBytes: 57n },
  ]);
  assert.equal(bitmap[0], bitmapOf(extents, 10, [0, 3, 6, 7])[0]);
});

test("bits survive packing; a wrong length is refused", () => {
  const bits = Buffer.from(Array.from({ length: 1000 }, (_, index) => (index * 7) % 256));
  assert.equal(unpackBits(packBits(bits), 1000), bits);
  assert.throws(() => unpackBits(packBits(bits), 999));
  assert.throws(() => unpackBits(packBits(bits), 1001));
  assert.throws(() => unpackBits("no deflate", 10));
  const bomb = packBits(Buffer.alloc(1 << 24));
  assert.throws(() => unpackBits(bomb, 8));
});

test("a bitmap of 100 TiB is looked through in a moment", () => {
  const huge = [{ srcOffset: 0n, dstOffset: 0n, lengthBytes: 100n << 40n }];
  const bitmap = Buffer.alloc(emptyBitmap(huge, 1 << 20).length, 0xff);
  const started = performance.now();
  assert.is(sumBytes(stretches(huge, 1 << 20, bitmap, true)), 100n << 40n);
  assert.ok(performance.now() - started < 5000);
});

test.run();
