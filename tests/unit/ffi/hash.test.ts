// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { native } from "../../../ffi/index.ts";

const digest = (pieces: readonly Buffer[]) => {
  const hash = native.xxh3();
  for (const piece of pieces) hash.update(piece);
  return hash.hex();
};

// From xxHash's own tables of test vectors, and `xxhsum -H3`.
test("known digests", () => {
  assert.is(digest([]), "2d06800538d394c2");
  assert.is(digest([Buffer.from("a")]), "e6c632b61e964e1f");
  assert.is(digest([Buffer.from("abc")]), "78af5f94892f3950");
});

test("pieces make no difference, content does", () => {
  const data = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 31) % 251));
  const whole = digest([data]);
  assert.is(digest([data.subarray(0, 1), data.subarray(1, 70_001), data.subarray(70_001)]), whole);
  data[50_000] = (data[50_000] ?? 0) ^ 1;
  assert.is.not(digest([data]), whole);
});

test("two hashes at once do not mix", () => {
  const [one, other] = [native.xxh3(), native.xxh3()];
  one.update(Buffer.from("abc"));
  other.update(Buffer.from("a"));
  assert.is(one.hex(), "78af5f94892f3950");
  assert.is(other.hex(), "e6c632b61e964e1f");
});

test.run();
