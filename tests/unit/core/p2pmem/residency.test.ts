// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { judgeResidency } from "../../../../core/p2pmem/residency.ts";

const bar = { index: 2, start: 0xf4000000n, end: 0xf7ffffffn, flags: 0x200n };

test("judgeResidency() accepts frames inside a BAR and merges them", () => {
  const result = judgeResidency([0xf4001n, 0xf4000n, 0xf4003n], [bar], 4096);
  assert.ok(result.checked && result.inside);
  assert.is(result.bar?.index, 2);
  assert.equal(result.ranges, [
    { start: 0xf4000000n, end: 0xf4002000n },
    { start: 0xf4003000n, end: 0xf4004000n },
  ]);
});

test("judgeResidency() rejects one page of RAM among p2pmem", () => {
  const result = judgeResidency([0xf4000n, 0x1234n], [bar], 4096);
  assert.ok(result.checked && !result.inside);
});

test("judgeResidency() rejects the page right behind the BAR", () => {
  const result = judgeResidency([0xf8000n], [bar], 4096);
  assert.ok(result.checked && !result.inside);
});

test("judgeResidency() rejects a page that is not present", () => {
  const result = judgeResidency([0xf4000n, 0n], [bar], 4096);
  assert.ok(result.checked && !result.inside);
});

test("judgeResidency() does not guess when the kernel hides frames", () => {
  assert.equal(judgeResidency(undefined, [bar], 4096), { checked: false, reason: "needs CAP_SYS_ADMIN" });
});

test.run();
