// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { mapOf, renderMapfile } from "../../../../core/journal/mapfile.ts";

const range = (srcOffset: number, lengthBytes: number) => ({
  srcOffset: BigInt(srcOffset),
  lengthBytes: BigInt(lengthBytes),
});

const rows = (...parts: Parameters<typeof mapOf>) =>
  mapOf(...parts).map(({ offset, lengthBytes, status }) => `${offset} ${lengthBytes} ${status}`);

test("a finished copy: everything but the bad ranges is there", () => {
  assert.equal(rows(range(0, 10000), [], [range(512, 512), range(1024, 512), range(9488, 512)], "finished"), [
    "0 512 finished",
    "512 1024 bad",
    "1536 7952 finished",
    "9488 512 bad",
  ]);
});

test("a stopped copy: what was not reached is untried", () => {
  assert.equal(rows(range(4096, 8192), [range(4096, 4096)], [], "untried"), [
    "4096 4096 finished",
    "8192 4096 untried",
  ]);
});

test("nothing at all", () => {
  assert.equal(rows(range(0, 0), [], [], "finished"), []);
});

test("the file is what ddrescue writes: a line of state, then position, size and status in hexadecimal", () => {
  const text = renderMapfile(mapOf(range(0, 0x30000), [], [range(0x10000, 0x200)], "finished"));
  const lines = text.split("\n").filter((line) => line && !line.startsWith("#"));
  assert.match(lines[0] ?? "", /^0x00030000\s+\+\s+1$/);
  assert.equal(
    lines.slice(1).map((line) => line.split(/\s+/)),
    [
      ["0x00000000", "0x00010000", "+"],
      ["0x00010000", "0x00000200", "-"],
      ["0x00010200", "0x0001FE00", "+"],
    ],
  );
  assert.match(renderMapfile(mapOf(range(0, 512), [], [], "untried")), /^0x00000200\s+\?\s+1$/m);
});

test.run();
