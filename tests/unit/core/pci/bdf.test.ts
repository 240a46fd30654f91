// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseBdf } from "../../../../core/pci/bdf.ts";

const rows: [string, string | undefined][] = [
  ["0000:03:00.0", "0000:03:00.0"],
  ["03:00.0", "0000:03:00.0"],
  ["10000:E1:1F.7", "10000:e1:1f.7"],
  ["03:20.0", undefined],
  ["03:00.8", undefined],
  ["nvme0", undefined],
  ["", undefined],
];
for (const [text, expected] of rows) {
  test(`parseBdf() reads "${text}" as ${expected}`, () => assert.is(parseBdf(text), expected));
}

test.run();
