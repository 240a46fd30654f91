// SPDX-License-Identifier: MIT
// The same sources in Deno: the unit tests, a copy, and what it says without permission.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { tool } from "../../scripts/tools.ts";
import { tempFolder } from "../unit/temp.ts";

const root = join(import.meta.dirname, "..", "..");
const main = join(root, "cli", "main.ts");
const folder = tempFolder("deno");
const program = tool("deno");
const env = { ...process.env, DENO_DIR: join(folder, "cache"), DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" };

function deno(...args: string[]) {
  return spawnSync(program, args, {
    cwd: root,
    env,
    encoding: "utf8",
    timeout: 280_000,
    maxBuffer: 64 << 20,
  });
}

test("deno task test:unit passes", () => {
  const { status, stdout, stderr } = deno("task", "test:unit");
  const failures = stdout.split("\n").filter((line) => line.startsWith("FAIL"));
  assert.is(status, 0, `${failures.join("\n")}\n${stderr}`);
  assert.match(stdout, /^[1-9]\d{3,} passed, 0 failed/m);
});

for (const engine of ["uring", "sync"]) {
  test(`deno task start copies and verifies, engine ${engine}`, () => {
    const [source, target] = [join(folder, "source"), join(folder, "target")];
    const data = randomBytes((1 << 20) + 77);
    writeFileSync(source, data);
    const options = ["--verify", "--no-journal", "--allow-write", "--engine", engine];
    const { status, stdout, stderr } = deno("task", "start", "copy", ...options, source, target);
    assert.is(status, 0, stderr);
    assert.match(stdout, /verified +equal/);
    assert.ok(readFileSync(target).equals(data));
  });
}

test("deno task start migrate runs its copies in Deno", () => {
  const plan = join(folder, "plan.yaml");
  writeFileSync(join(folder, "from"), "content");
  writeFileSync(plan, `version: 1\npairs: [{ name: x, from: ${folder}/from, to: ${folder}/to, via: ram }]\n`);
  const { status, stderr } = deno("task", "start", "migrate", plan);
  assert.is(status, 0, stderr);
  assert.is(readFileSync(join(folder, "to"), "utf8"), "content");
});

test("without permission for /sys it says so, and does not say that there are no devices", () => {
  const { status, stdout, stderr } = deno(
    "run",
    "--allow-read",
    "--allow-env",
    "--allow-sys",
    "--allow-ffi",
    main,
    "list",
  );
  assert.is(status, 1);
  assert.is(stdout, "");
  assert.match(
    stderr,
    /^p2pdma: Deno does not let this program look at the machine: .*\nhint: deno run --allow-all/,
  );
});

test("exit codes are as anywhere", () => {
  assert.is(deno("run", "--allow-all", main, "nonsense").status, 2);
  assert.is(deno("run", "--allow-all", main, "copy", "/nonexistent", join(folder, "x")).status, 1);
});

test.run();
