// SPDX-License-Identifier: MIT
// The fuzzers' programs with a few thousand random inputs, the same each time: `npm run fuzz` goes on from there.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

const folder = join(import.meta.dirname, "..", "fuzz");
const build = join(folder, "..", "..", "build", "fuzz");
const INPUTS = 3000;

function run(command: string, ...args: string[]): string {
  const { status, signal, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", timeout: 240_000 });
  assert.is(status, 0, `${command}: ${signal ?? status}\n${stdout}${stderr}`);
  return stdout;
}

run("make", "-s", "-C", folder, "players", "-j2");
for (const name of ["fuzz-faults", "fuzz-files", "fuzz-calls"]) {
  test(`${name} finds nothing in ${INPUTS} random inputs`, () => {
    const output = run(join(build, "play", name), "--random", String(INPUTS), "1");
    assert.is(output, `${INPUTS} inputs played\n`);
  });
}

test.run();
