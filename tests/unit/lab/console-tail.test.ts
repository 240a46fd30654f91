// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ConsoleTail } from "../../../lab/console-tail.ts";
import { guestError } from "../../../lab/errors.ts";

function tailOf(...chunks: string[]): string[] {
  const tail = new ConsoleTail(3);
  for (const chunk of chunks) tail.push(Buffer.from(chunk));
  return tail.lines();
}

test("ConsoleTail keeps the last lines only", () => {
  assert.equal(tailOf("1\n2\n3\n4\n", "5\n"), ["3", "4", "5"]);
});

test("ConsoleTail shows a line that was cut short by the guest's death", () => {
  assert.equal(tailOf("1\nKernel pan", "ic"), ["1", "Kernel panic"]);
});

test("ConsoleTail drops what would confuse a terminal", () => {
  assert.equal(tailOf("\x1b[2J\x1b[1;31mred\x1b[0m\r\n\x00a\tb\n"), ["red", "a\tb"]);
});

test("ConsoleTail is bounded by a guest that never ends a line", () => {
  const tail = new ConsoleTail(3);
  for (let i = 0; i < 100; i++) tail.push(Buffer.alloc(10_000, 120));
  assert.is(tail.lines().join("").length, 1000);
});

test("guestError() shows at most 30 lines", () => {
  const lines = Array.from({ length: 100 }, (_, index) => `line ${index}`);
  const shown = guestError("It died", lines).message.split("\n");
  assert.is(shown[0], "It died");
  assert.is(shown.filter((line) => line.startsWith("  | ")).length, 30);
  assert.is(shown.at(-1), "  | line 99");
});

test("guestError() has nothing to show of a silent guest", () => {
  assert.is(guestError("It died", []).message, "It died");
});

test.run();
