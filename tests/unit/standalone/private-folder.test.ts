// SPDX-License-Identifier: MIT
// Where the standalone program unpacks what other programs read, against those who would like to put something else there.
import { chmodSync, lchownSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { cacheHome, privateFolder } from "../../../standalone/private-folder.ts";
import { tempFolder } from "../temp.ts";

const folder = tempFolder("private-folder");
const SOMEBODY = 12345;
const isRoot = process.getuid?.() === 0;

let count = 0;

/** A folder with this mode, and what privateFolder() says to a folder in it. */
function inFolder(mode: number, prepare: (parent: string) => void = () => {}): string {
  const parent = join(folder, `parent-${count++}`);
  mkdirSync(parent);
  chmodSync(parent, mode);
  prepare(parent);
  try {
    const path = privateFolder(parent, "own");
    return lstatSync(path).mode.toString(8);
  } catch (error) {
    return (error as Error).message.replaceAll(parent, "PARENT").replaceAll(folder, "FOLDER");
  }
}

const refusal = (reason: string) => `Cannot unpack this program's files: ${reason}`;

test("privateFolder() makes a folder for its user only, and its parents", () => {
  assert.is(inFolder(0o755), "40700");
  assert.is(inFolder(0o1777), "40700");
  assert.is(lstatSync(privateFolder(join(folder, "a", "b"), "own")).mode & 0o777, 0o700);
  assert.is(lstatSync(join(folder, "a", "b")).mode & 0o777, 0o700);
});

test("privateFolder() takes one that is there", () => {
  assert.is(
    inFolder(0o755, (parent) => mkdirSync(join(parent, "own"), 0o700)),
    "40700",
  );
});

test("privateFolder() refuses where others can rename what is below", () => {
  assert.is(inFolder(0o777), refusal('others can write to "PARENT"'));
  const above = join(folder, "open");
  mkdirSync(join(above, "below"), { recursive: true });
  chmodSync(above, 0o777);
  assert.throws(() => privateFolder(join(above, "below"), "own"), /others can write to ".*open"$/);
});

test("privateFolder() follows no link to a place that somebody else chose", () => {
  const elsewhere = join(folder, "elsewhere");
  mkdirSync(elsewhere, 0o700);
  assert.is(
    inFolder(0o1777, (parent) => symlinkSync(elsewhere, join(parent, "own"))),
    refusal('"PARENT/own" is no folder'),
  );
  const open = join(folder, "behind-a-link");
  mkdirSync(open);
  chmodSync(open, 0o777);
  symlinkSync(open, join(folder, "link"));
  assert.throws(() => privateFolder(join(folder, "link"), "own"), /others can write to ".*behind-a-link"$/);
});

test("privateFolder() refuses what is no folder, and a folder open to others", () => {
  assert.is(
    inFolder(0o755, (parent) => writeFileSync(join(parent, "own"), "")),
    refusal('"PARENT/own" is no folder'),
  );
  const openTo = (mode: number) => (parent: string) => {
    mkdirSync(join(parent, "own"));
    chmodSync(join(parent, "own"), mode);
  };
  assert.is(inFolder(0o755, openTo(0o755)), refusal('"PARENT/own" is open to others (mode 755)'));
  assert.is(inFolder(0o755, openTo(0o710)), refusal('"PARENT/own" is open to others (mode 710)'));
});

const asRoot = isRoot ? test : test.skip;
if (!isRoot) console.log("# skip: folders of other users: only root can make them");

asRoot("privateFolder() refuses another user's folder, and one below it", () => {
  const give = (path: string) => lchownSync(path, SOMEBODY, SOMEBODY);
  const theirs = (parent: string) => {
    mkdirSync(join(parent, "own"), 0o700);
    give(join(parent, "own"));
  };
  assert.is(inFolder(0o1777, theirs), refusal(`"PARENT/own" belongs to user ${SOMEBODY}`));
  assert.is(inFolder(0o755, give), refusal('others can write to "PARENT"'));
});

asRoot("privateFolder() trusts a group of the user's own, and no other", () => {
  assert.is(inFolder(0o775), "40700");
  assert.is(
    inFolder(0o775, (parent) => lchownSync(parent, 0, SOMEBODY)),
    refusal('others can write to "PARENT"'),
  );
});

test("cacheHome() is XDG_CACHE_HOME, else below the home folder", () => {
  assert.is(cacheHome({ XDG_CACHE_HOME: "/x" }), "/x");
  assert.match(cacheHome({}), /\/\.cache$/);
});

test.run();
