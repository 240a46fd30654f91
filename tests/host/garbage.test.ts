// SPDX-License-Identifier: MIT
// What the C helper works with must outlive its call, also in the bundle: garbage is collected all the time here, and
// freed memory is written over at once.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

const program = join(import.meta.dirname, "..", "..", "dist", "p2pdma.js");
const folder = mkdtempSync(join(tmpdir(), "p2pdma-garbage-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const collector = join(folder, "collector.mjs");
writeFileSync(
  collector,
  `let kept = [];
setInterval(() => {
  gc();
  for (const bytes of [24, 48, 136, 200, 256, 512, 4096])
    for (let count = 0; count < 20; count++) kept.push(Buffer.alloc(bytes).fill(0x5a));
  if (kept.length > 5000) kept = [];
}, 5).unref();`,
);

for (const options of [["--rate=100M"], ["--rate=100M", "--verify"], ["--engine=sync", "--rate=100M"]]) {
  test(`copy ${options.join(" ")} while garbage is collected is exact`, () => {
    const [source, target] = [join(folder, "source"), join(folder, "target")];
    const data = randomBytes(32 << 20);
    writeFileSync(source, data);
    const { status, stderr } = spawnSync(
      process.execPath,
      ["--expose-gc", "--import", collector, program, "copy", "--no-journal", ...options, source, target],
      { encoding: "utf8", timeout: 60_000 },
    );
    assert.is(status, 0, stderr);
    assert.ok(readFileSync(target).equals(data));
  });
}

test.run();
