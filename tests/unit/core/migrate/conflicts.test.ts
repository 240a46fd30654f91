// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Claims, findConflicts, type Region } from "../../../../core/migrate/conflicts.ts";

function region(medium: string, start: number, end?: number): Region {
  return { medium, start: BigInt(start), end: end === undefined ? undefined : BigInt(end) };
}

function claims(name: string, reads: Region, writes: Region, after: string[] = []): Claims {
  return { name, after, reads, writes };
}

const [A, B, C] = [region("A", 0, 100), region("B", 0, 100), region("C", 0, 100)];

test("findConflicts() finds two writers, a reader before and a reader after a writer", () => {
  assert.equal(findConflicts([claims("x", A, C), claims("y", B, C)]), [
    { first: "x", second: "y", kind: "write-write" },
  ]);
  assert.equal(findConflicts([claims("x", A, B), claims("y", B, C)]), [
    { first: "x", second: "y", kind: "write-read" },
  ]);
  assert.equal(findConflicts([claims("x", B, C), claims("y", A, B)]), [
    { first: "x", second: "y", kind: "read-write" },
  ]);
});

test("findConflicts() is content with an order, through others too, in either direction", () => {
  const chain = [
    claims("x", A, B),
    claims("m", C, region("D", 0, 1), ["x"]),
    claims("y", B, region("E", 0, 1), ["m"]),
  ];
  assert.equal(findConflicts(chain), []);
  assert.equal(findConflicts([claims("x", A, B, ["y"]), claims("y", B, C)]), []);
});

test("findConflicts() lets two read the same, and ranges that only touch", () => {
  assert.equal(findConflicts([claims("x", A, B), claims("y", A, C)]), []);
  const first = claims("x", A, region("Z", 0, 10));
  assert.equal(findConflicts([first, claims("y", A, region("Z", 10, 20))]), []);
  assert.is(findConflicts([first, claims("y", A, region("Z", 9, 20))]).length, 1);
  assert.equal(findConflicts([first, claims("y", A, region("Z", 5, 5))]), []);
});

test("findConflicts() takes a region without an end as everything behind its start", () => {
  const whole = claims("x", A, region("F", 0));
  assert.is(findConflicts([whole, claims("y", B, region("F", 1_000_000, 1_000_001))]).length, 1);
  assert.is(findConflicts([claims("y", B, region("F", 1_000_000, 1_000_001)), whole]).length, 1);
});

test("findConflicts() names each pair of copies once", () => {
  const swap = [claims("x", A, B), claims("y", B, A)];
  assert.equal(findConflicts(swap), [{ first: "x", second: "y", kind: "write-read" }]);
});

test.run();
