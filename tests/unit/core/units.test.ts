// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatBytes, parseSize } from "../../../core/units.ts";

const sizes: [string, bigint][] = [
  ["0", 0n],
  ["4096", 4096n],
  ["511B", 511n],
  ["4k", 4096n],
  ["4K", 4096n],
  ["4KiB", 4096n],
  ["4kB", 4000n],
  ["1.5M", 1572864n],
  ["1.5MB", 1500000n],
  ["64 MiB", 67108864n],
  ["2T", 2199023255552n],
  ["9007199254740993", 9007199254740993n],
];
for (const [text, bytes] of sizes) {
  test(`parseSize() reads "${text}"`, () => assert.is(parseSize(text, "--length"), bytes));
}

for (const text of ["", "-1", "x", "1.5", "1e9", "4 q", "0x10", "9E", "1..5k", "k"]) {
  test(`parseSize() refuses "${text}"`, () => {
    assert.throws(
      () => parseSize(text, "--length"),
      (error: Error) => error.message.startsWith("--length"),
    );
  });
}

test("formatBytes() keeps three digits and exact values whole", () => {
  const rows: [bigint, string][] = [
    [0n, "0 B"],
    [511n, "511 B"],
    [67108864n, "64 MiB"],
    [1966080n, "1.88 MiB"],
    [1n << 40n, "1 TiB"],
    [123456789n, "118 MiB"],
  ];
  for (const [bytes, text] of rows) assert.is(formatBytes(bytes), text);
});

test.run();
