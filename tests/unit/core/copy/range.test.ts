// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { resolveRange } from "../../../../core/copy/range.ts";
import type { P2pdmaError } from "../../../../core/errors.ts";
import { fakeDrive, fakeFile } from "./fakes.ts";

const src = fakeDrive("nvme0n1", "0000:03:00.0");
const dst = fakeDrive("nvme1n1", "0000:04:00.0");
const code = (expected: string) => (error: Error) => (error as P2pdmaError).code === expected;

test("resolveRange() takes the whole source by default", () => {
  const range = resolveRange(src, dst, {});
  assert.is(range.lengthBytes, 1n << 30n);
  assert.is(range.tailBytes, 0);
});

test("resolveRange() splits off the tail at the larger block size", () => {
  const fourK = fakeDrive("nvme1n1", "0000:04:00.0", { logicalBlockBytes: 4096 });
  const range = resolveRange(fakeFile("/a", 10_000n), fourK, {});
  assert.is(range.blockBytes, 4096);
  assert.is(range.bodyBytes, 8192n);
  assert.is(range.tailBytes, 1808);
});

test("resolveRange() keeps 64-bit offsets whole", () => {
  const huge = fakeDrive("nvme0n1", "0000:03:00.0", { sizeBytes: 1n << 62n });
  const range = resolveRange(huge, huge, { offset: (1n << 61n) + 512n, length: 512n, seek: 1n << 60n });
  assert.is(range.srcOffset, 2305843009213694464n);
});

const refusals: [string, string, () => unknown][] = [
  ["an offset past the end", "USAGE", () => resolveRange(src, dst, { offset: (1n << 30n) + 512n })],
  ["a length past the end", "USAGE", () => resolveRange(src, dst, { offset: 512n, length: 1n << 30n })],
  ["an offset inside a block", "MISALIGNED", () => resolveRange(src, dst, { offset: 100n, length: 512n })],
  ["a seek inside a block", "MISALIGNED", () => resolveRange(src, dst, { seek: 513n, length: 512n })],
  ["a destination too small", "TOO_SMALL", () => resolveRange(src, dst, { seek: 512n })],
];
for (const [what, expected, action] of refusals) {
  test(`resolveRange() refuses ${what}`, () => assert.throws(action, code(expected)));
}

test("resolveRange() lets a file grow", () => {
  assert.is(resolveRange(src, fakeFile("/a", 0n), {}).lengthBytes, 1n << 30n);
});

test.run();
