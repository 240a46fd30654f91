// SPDX-License-Identifier: MIT
import { spawnSync } from "node:child_process";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { writeCpio } from "../../../lab/initramfs.ts";

const init = { name: "init", mode: 0o755, data: Buffer.from("#!/bin/sh\n") };

/** An independent reader: the kernel's own rules, init/initramfs.c. */
function readCpio(archive: Buffer): { name: string; mode: number; data: string }[] {
  const entries = [];
  for (let at = 0; at < archive.length; ) {
    assert.is(archive.toString("latin1", at, at + 6), "070701");
    const field = (index: number) =>
      Number.parseInt(archive.toString("latin1", at + 6 + 8 * index, at + 14 + 8 * index), 16);
    const [mode, size, nameSize] = [field(1), field(6), field(11)];
    const name = archive.toString("latin1", at + 110, at + 110 + nameSize - 1);
    const dataAt = (at + 110 + nameSize + 3) & ~3;
    entries.push({ name, mode, data: archive.toString("latin1", dataAt, dataAt + size) });
    at = (dataAt + size + 3) & ~3;
  }
  return entries;
}

test("writeCpio() writes what the kernel reads, trailer last", () => {
  const files = [init, { name: "etc-x", mode: 0o600, data: Buffer.from("abc") }];
  assert.equal(readCpio(writeCpio(files)), [
    { name: "init", mode: 0o100755, data: "#!/bin/sh\n" },
    { name: "etc-x", mode: 0o100600, data: "abc" },
    { name: "TRAILER!!!", mode: 0, data: "" },
  ]);
});

test("writeCpio() pads every size of name and data", () => {
  for (let size = 0; size < 9; size++) {
    const file = { name: "n".repeat(size + 1), mode: 0o644, data: Buffer.alloc(size, 120) };
    const [first, last] = readCpio(writeCpio([file]));
    assert.is(first?.name, file.name);
    assert.is(first?.data, "x".repeat(size));
    assert.is(last?.name, "TRAILER!!!");
  }
});

test("writeCpio() gives the same bytes for the same files", () => {
  assert.equal(writeCpio([init]), writeCpio([init]));
});

const hasCpio = spawnSync("cpio", ["--version"]).status === 0;
if (!hasCpio) console.log("# skip: writeCpio() is read by cpio: cpio is not installed");
(hasCpio ? test : test.skip)("writeCpio() is read by cpio", () => {
  const { stdout, status } = spawnSync("cpio", ["-tv", "--quiet"], { input: writeCpio([init]) });
  assert.is(status, 0);
  assert.match(stdout.toString(), /^-rwxr-xr-x .* 10 .* init\n$/);
});

test.run();
