// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { difference } from "../../docs/compare.ts";

const fits = (expected: string, actual: string) => difference(expected.split("\n"), actual) === undefined;

test("the same text fits, other text does not", () => {
  assert.ok(fits("a\nb", "a\nb\n"));
  assert.not.ok(fits("a\nb", "a\nc\n"));
  assert.not.ok(fits("a", "a\nb\n"));
  assert.not.ok(fits("a\nb", "a\n"));
  assert.not.ok(fits("a.c", "abc\n"), "a dot is a dot");
});

test("no output shown: anything fits", () => {
  assert.is(difference([], "whatever"), undefined);
});

test("... alone stands for lines, also none", () => {
  assert.ok(fits("a\n...\nd", "a\nb\nc\nd\n"));
  assert.ok(fits("a\n...\nd", "a\nd\n"));
  assert.ok(fits("a\n...", "a\n"));
  assert.ok(fits("a\n...", "a\nb\nc\n"));
  assert.ok(fits("...\nb", "a\nb\n"));
  assert.ok(fits("...\nb", "b\n"));
  assert.ok(fits("...", ""));
  assert.not.ok(fits("a\n...\nd", "a\nb\nc\n"));
  assert.not.ok(fits("...\nb\n...", "a\nxb\nc\n"));
});

test("... within a line stands for text", () => {
  assert.ok(fits("a ... c", "a b b c\n"));
  assert.not.ok(fits("a ... c", "a b\nc\n"));
});

test("what changes from run to run is not compared", () => {
  assert.ok(fits("64 MiB in 1.63 s, 39.2 MiB/s", "64 MiB in 2 s, 101 MiB/s"));
  assert.ok(fits(`sha ${"a".repeat(64)}`, `sha ${"0".repeat(64)}`));
  assert.ok(fits("at 2026-01-01T10:00:00.000Z", "at 2027-02-03T11:12:13Z"));
  assert.not.ok(fits("64 MiB in 1.63 s", "32 MiB in 1.63 s"), "sizes are compared");
});

test("the widths of columns are not compared", () => {
  assert.ok(fits("A     B\n1     2", "A   B  \n1   2\n"));
  assert.ok(fits("A\n-----\nb", "A\n--------\nb"));
});

test.run();
