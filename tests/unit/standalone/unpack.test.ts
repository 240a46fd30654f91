// SPDX-License-Identifier: MIT
import { createHash } from "node:crypto";
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type FileTree, unpack } from "../../../standalone/unpack.ts";
import { tempFolder } from "../temp.ts";

const folder = join(tempFolder("unpack"), "tree");
let reads = 0;

function file(path: string, text: string): FileTree["files"][number] {
  const sha256 = createHash("sha256").update(text).digest("hex");
  const content = () => {
    reads++;
    return Buffer.from(text);
  };
  return { path, sha256, content };
}

const tree: FileTree = {
  files: [file("a/one", "1"), file("a/b/two", "22"), file("three", "")],
  links: [{ path: "bin/program", target: "/usr/bin/env" }],
};

const all = () =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => !lstatSync(join(folder, name)).isDirectory())
    .sort();

function assertIntact(): void {
  assert.equal(all(), ["a/b/two", "a/one", "bin/program", "three"]);
  assert.is(readFileSync(join(folder, "a/one"), "utf8"), "1");
  assert.is(readFileSync(join(folder, "a/b/two"), "utf8"), "22");
  assert.is(readlinkSync(join(folder, "bin/program")), "/usr/bin/env");
  assert.equal(readdirSync(join(folder, "..")), ["tree"]);
}

test("unpack() writes the tree for its user only, once", () => {
  assert.is(unpack(folder, tree), folder);
  assertIntact();
  assert.is(lstatSync(folder).mode & 0o777, 0o700);
  assert.is(lstatSync(join(folder, "a")).mode & 0o777, 0o700);
  assert.is(lstatSync(join(folder, "a/one")).mode & 0o777, 0o600);
  const before = reads;
  unpack(folder, tree);
  assert.is(reads, before);
});

const damages: Record<string, () => void> = {
  "another byte, with size and time as before": () => {
    const { atime, mtime } = lstatSync(join(folder, "a/one"));
    writeFileSync(join(folder, "a/one"), "2");
    utimesSync(join(folder, "a/one"), atime, mtime);
  },
  "a file cut short": () => writeFileSync(join(folder, "a/b/two"), "2"),
  "a file that is missing": () => rmSync(join(folder, "three")),
  "a file too many": () => writeFileSync(join(folder, "a/0000-more.patch"), ""),
  "a link to the same content": () => {
    writeFileSync(join(folder, "..", "same"), "1");
    rmSync(join(folder, "a/one"));
    symlinkSync(join(folder, "..", "same"), join(folder, "a/one"));
  },
  "a folder that is a link": () => {
    rmSync(join(folder, "a"), { recursive: true });
    symlinkSync("/etc", join(folder, "a"));
  },
  "a folder where a file was": () => {
    rmSync(join(folder, "three"));
    mkdirSync(join(folder, "three"));
  },
  "a link that leads elsewhere": () => {
    rmSync(join(folder, "bin/program"));
    symlinkSync("/bin/false", join(folder, "bin/program"));
  },
  "a file in place of the folder": () => {
    rmSync(folder, { recursive: true });
    writeFileSync(folder, "");
  },
  "a link in place of the folder": () => {
    rmSync(folder, { recursive: true });
    symlinkSync("/etc", folder);
  },
};

for (const [name, damage] of Object.entries(damages)) {
  test(`unpack() makes it anew: ${name}`, () => {
    unpack(folder, tree);
    damage();
    unpack(folder, tree);
    rmSync(join(folder, "..", "same"), { force: true });
    assertIntact();
  });
}

test.run();
