// SPDX-License-Identifier: MIT
import { mkdtempSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { withPrivateFile } from "../../../standalone/private-file.ts";
import { tempFolder } from "../temp.ts";

const folder = tempFolder("private-file");
/** Deno opens no files without a name, and has no part in the standalone program. */
const inNode = process.versions.deno ? test.skip : test;
if (process.versions.deno)
  console.log("# skip: withPrivateFile(): it is for the standalone program, which is Node");
const content = Buffer.from("some code");

inNode("withPrivateFile() hands on a file that nobody else can open and that leaves nothing behind", () => {
  const [text, mode, links] = withPrivateFile(
    "x",
    content,
    (path) => {
      const stats = statSync(path);
      return [
        readFileSync(path, "utf8"),
        stats.mode & 0o777,
        stats.nlink,
        readdirSync(folder).length,
      ] as const;
    },
    [folder],
  );
  assert.equal([text, mode, links], ["some code", 0o600, 0]);
  assert.equal(readdirSync(folder), []);
});

inNode("withPrivateFile() gives every file a path of its own", () => {
  const paths = ["a", "b"].map((name) => withPrivateFile(name, content, (path) => path, [folder]));
  assert.is.not(paths[0], paths[1]);
});

inNode("withPrivateFile() goes on to the next folder where one is missing or will not do", () => {
  const other = mkdtempSync(join(folder, "other-"));
  const tried: number[] = [];
  const answer = withPrivateFile(
    "x",
    content,
    (path) => {
      tried.push(statSync(path).size);
      if (tried.length === 1) throw new Error("failed to map segment from shared object");
      return "loaded";
    },
    [join(folder, "missing"), folder, other],
  );
  assert.is(answer, "loaded");
  assert.equal(tried, [9, 9]);
});

inNode("withPrivateFile() says what was wrong with each folder", () => {
  const [missing, noexec] = [join(folder, "missing"), folder];
  const refuse = (path: string) => {
    throw new Error(`${path}: failed to map segment`);
  };
  assert.throws(
    () => withPrivateFile("helper.so", content, refuse, [missing, noexec]),
    (error: Error) =>
      /^Cannot load helper\.so: ".*missing": ENOENT.*; ".*": failed to map segment$/.test(error.message),
  );
});

test.run();
