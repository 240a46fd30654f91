// SPDX-License-Identifier: MIT
import { closeSync, fstatSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { checkDisks, openUnnamedFile } from "../../../lab/disks.ts";
import { LabError } from "../../../lab/errors.ts";
import { drive } from "../../../lab/topology.ts";

const test = suite<{ folder: string }>("disks");
const drives = [drive("A"), drive("B")];

test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), "p2pdma-disks-"));
});
test.after.each((context) => rmSync(context.folder, { recursive: true }));

function image(folder: string, name: string, bytes: number): string {
  const path = join(folder, name);
  writeFileSync(path, Buffer.alloc(bytes));
  return path;
}

function rejects(paths: string[], expected: RegExp): void {
  try {
    checkDisks(paths, drives);
  } catch (error) {
    assert.instance(error, LabError);
    assert.is((error as LabError).exitCode, 2);
    assert.match((error as LabError).message, expected);
    return;
  }
  assert.unreachable(`took ${paths}`);
}

test("checkDisks() answers absolute paths in the order given", ({ folder }) => {
  const [a, b] = [image(folder, "a", 512), image(folder, "b", 1024)];
  assert.equal(checkDisks([b, a], drives), [b, a]);
});

test("checkDisks() refuses more disks than drives", ({ folder }) => {
  const paths = ["a", "b", "c"].map((name) => image(folder, name, 512));
  rejects(paths, /Cannot attach 3 disk files: this topology has 2 drives/);
});

test("checkDisks() refuses a file that is not there", ({ folder }) => {
  rejects([join(folder, "none")], /no such file/);
});

test("checkDisks() refuses a folder", ({ folder }) => {
  rejects([folder], /no regular file/);
});

test("checkDisks() refuses sizes that are no whole number of blocks", ({ folder }) => {
  rejects([image(folder, "odd", 513)], /513 bytes/);
  rejects([image(folder, "empty", 0)], /0 bytes/);
});

test("checkDisks() refuses one file under two names", ({ folder }) => {
  const path = image(folder, "a", 512);
  symlinkSync(path, join(folder, "alias"));
  rejects([path, join(folder, "alias")], /to two drives/);
});

test("openUnnamedFile() makes a sparse file without a name", ({ folder }) => {
  const before = readdirSync(tmpdir()).filter((name) => name.startsWith("p2pdma-lab-"));
  const fd = openUnnamedFile(8 * 2 ** 30);
  const { size, blocks, nlink } = fstatSync(fd);
  closeSync(fd);
  assert.is(size, 8 * 2 ** 30);
  assert.is(blocks, 0);
  assert.is(nlink, 0);
  assert.equal(
    readdirSync(tmpdir()).filter((name) => name.startsWith("p2pdma-lab-")),
    before,
  );
  assert.equal(readdirSync(folder), []);
});

test.run();
