// SPDX-License-Identifier: MIT
// The built program as a script meets it, on a machine without p2pmem.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { exitCodeMeaning } from "../../../core/exit-codes.ts";
import { tempFolder } from "../temp.ts";

const program = join(import.meta.dirname, "..", "..", "..", "dist", "p2pdma.js");
const folder = tempFolder("cli");
const data = randomBytes((1 << 20) + 777);
const source = join(folder, "source");
writeFileSync(source, data);

function p2pdma(...args: string[]) {
  const env = { ...process.env, XDG_STATE_HOME: join(folder, "state") };
  return spawnSync(process.execPath, [program, ...args], { encoding: "utf8", env });
}

test("--version prints the package's version", () => {
  const { version } = JSON.parse(readFileSync(join(program, "..", "..", "package.json"), "utf8"));
  assert.is(p2pdma("--version").stdout, `${version}\n`);
});

test("--help names every exit code with its meaning", () => {
  const { stdout, status } = p2pdma("--help");
  assert.is(status, 0);
  for (const [code, meaning] of Object.entries(exitCodeMeaning))
    assert.match(stdout, new RegExp(`${code}  ${meaning}`));
});

for (const command of ["copy", "list", "lab"]) {
  test(`${command} --help teaches by example`, () => {
    const { stdout, status } = p2pdma(command, "--help");
    assert.is(status, 0);
    assert.match(stdout, new RegExp(`Examples:[\\s\\S]*p2pdma ${command}`));
  });
}

for (const engine of ["uring", "sync"]) {
  test(`copy --engine ${engine} of a file is exact, verified and honest about RAM`, () => {
    const target = join(folder, `copy-${engine}`);
    const { stdout, status, stderr } = p2pdma(
      "copy",
      "--json",
      "--verify",
      "--engine",
      engine,
      source,
      target,
    );
    assert.is(status, 0, stderr);
    assert.equal(readFileSync(target), data);
    const receipt = JSON.parse(stdout);
    assert.is(receipt.bytes.peerToPeer, "0");
    assert.is(receipt.bytes.throughRam, String(data.length));
    assert.is(receipt.verification.equal, true);
    assert.match(stderr, /because peer-to-peer is not possible/);
  });
}

test("copy --via p2p on such a machine exits 3 and makes no file", () => {
  const target = join(folder, "never");
  const { status, stderr, stdout } = p2pdma("copy", "--via", "p2p", source, target);
  assert.is(status, 3);
  assert.is(stdout, "");
  assert.match(stderr, /^p2pdma: Cannot copy peer-to-peer from .*\nhint: /);
  assert.not.ok(statSync(target, { throwIfNoEntry: false }));
});

test("what the drive's own copy can't do is refused, not ignored", () => {
  const target = join(folder, "never");
  for (const option of [
    ["--rate", "1M"],
    ["--nice", "idle"],
  ]) {
    const { status, stderr } = p2pdma("copy", "--via", "nvme-copy", ...option, source, target);
    assert.is(status, 2);
    assert.match(stderr, /--rate and --nice can't shape/);
  }
});

test("copy through a symbolic link onto itself is refused", () => {
  const link = join(folder, "link");
  symlinkSync(source, link);
  const { status, stderr } = p2pdma("copy", source, link);
  assert.is(status, 2);
  assert.match(stderr, /overlap on the same file/);
  assert.equal(readFileSync(source), data);
});

const mistakes: [string, string[], number, RegExp][] = [
  ["no such source", ["copy", "/nonexistent", join(folder, "x")], 1, /no such file/],
  ["a directory", ["copy", folder, join(folder, "x")], 2, /it is a directory/],
  ["a missing directory", ["copy", source, join(folder, "no/where")], 1, /its directory does not exist/],
  ["an unknown command", ["cpoy"], 2, /^p2pdma: unknown command 'cpoy'/],
  ["a wrong choice", ["copy", "--via", "usb", source, "x"], 2, /Allowed choices are/],
  ["a depth of zero", ["copy", "--depth", "0", source, join(folder, "x")], 2, /from 1 to 4096/],
  ["a negative length", ["copy", "--length=-1", source, join(folder, "x")], 2, /is no size/],
];
for (const [what, args, code, message] of mistakes) {
  test(`${what} exits ${code} with one clear error`, () => {
    const { status, stderr, stdout } = p2pdma(...args);
    assert.is(status, code, stderr);
    assert.match(stderr, message);
    assert.is(stdout, "");
    assert.not.match(stderr, /\n {4}at /);
    assert.not.ok(statSync(join(folder, "x"), { throwIfNoEntry: false }));
  });
}

test.run();
