// SPDX-License-Identifier: MIT
// The built program: a capture of the machine that the tests run on, and what it says to bad ones.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseCapture } from "../../../core/capture/parse.ts";
import { tempFolder } from "../temp.ts";

const program = join(import.meta.dirname, "..", "..", "..", "dist", "p2pdma.js");
const folder = tempFolder("capture");

function p2pdma(...args: string[]) {
  return spawnSync(process.execPath, [program, ...args], { encoding: "utf8", maxBuffer: 1 << 28 });
}

test("capture prints a capture of this machine, the same each time", () => {
  const { status, stdout, stderr } = p2pdma("capture");
  assert.is(status, 0, stderr);
  const { view, identifiers } = parseCapture(Buffer.from(stdout), "stdout");
  assert.is(identifiers, "hashed");
  assert.is(
    view.text("/proc/sys/kernel/osrelease"),
    readFileSync("/proc/sys/kernel/osrelease", "utf8").trim(),
  );
  const topology = JSON.parse(stdout).links;
  assert.equal(JSON.parse(p2pdma("capture").stdout).links, topology);
});

test("capture names this machine only with --with-serials", () => {
  const nameOf = (...args: string[]) =>
    parseCapture(Buffer.from(p2pdma("capture", ...args).stdout), "stdout").view.text(
      "/proc/sys/kernel/hostname",
    );
  assert.match(nameOf() ?? "", /^hash:[0-9a-f]{12}$/);
  assert.is(nameOf("--with-serials"), hostname());
});

test("capture -o writes a file, and never over one", () => {
  const file = join(folder, "machine.json");
  assert.is(p2pdma("capture", "-o", file).status, 0);
  const written = readFileSync(file, "utf8");
  const { status, stdout, stderr } = p2pdma("capture", "-o", file);
  assert.is(status, 7);
  assert.is(stdout, "");
  assert.match(stderr, /^p2pdma: Cannot write ".*machine\.json": it exists\nhint: /m);
  assert.is(readFileSync(file, "utf8"), written);
  assert.is(p2pdma("capture", "-o", "/dev/null").status, 7);
});

test("capture -o into a folder that is not there exits 1", () => {
  const { status, stderr } = p2pdma("capture", "-o", join(folder, "no", "machine.json"));
  assert.is(status, 1);
  assert.match(stderr, /Cannot write ".*": ENOENT/);
  assert.not.ok(existsSync(join(folder, "no")));
});

const strangers: [string, string, number, RegExp][] = [
  ["is no JSON", "hello", 2, /it is no JSON$/m],
  [
    "is a list's JSON",
    '{"schema":"p2pdma.list/1"}',
    2,
    /"schema": this program reads "p2pdma\.capture\/1" only$/m,
  ],
  ["nests", "[".repeat(100_000), 2, /nested more than 8 levels deep$/m],
];
for (const [what, content, code, message] of strangers) {
  test(`topo --from a file that ${what} exits ${code} with one clear error`, () => {
    const file = join(folder, "stranger.json");
    writeFileSync(file, content);
    const { status, stdout, stderr } = p2pdma("topo", "--from", file);
    assert.is(status, code, stderr);
    assert.is(stdout, "");
    assert.match(stderr, /^p2pdma: Cannot use capture "/);
    assert.match(stderr, message);
    assert.match(stderr, /^hint: p2pdma capture/m);
    assert.not.match(stderr, /\n {4}at /);
  });
}

test("topo --from a file that is not there exits 1, and does not stay with one that never ends", () => {
  const { status, stderr } = p2pdma("topo", "--from", join(folder, "none.json"));
  assert.is(status, 1);
  assert.match(stderr, /Cannot read capture ".*none\.json": ENOENT/);
  assert.is(p2pdma("topo", "--from", "/dev/zero").status, 2);
});

test("capture --help teaches by example and says what is left out", () => {
  const { status, stdout } = p2pdma("capture", "--help");
  assert.is(status, 0);
  assert.match(stdout, /no serial numbers[\s\S]*Examples:[\s\S]*p2pdma capture -o/);
});

test.run();
