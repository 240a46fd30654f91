// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { quoteWord, splitLine, wordsOf } from "../../../cli/shell-words.ts";
import { P2pdmaError } from "../../../core/errors.ts";

const CASES: [string, string[]][] = [
  ["", []],
  ["   \t ", []],
  ["list", ["list"]],
  ["  alloc  nvme0\t8MiB  ", ["alloc", "nvme0", "8MiB"]],
  ["read /dev/nvme0n1@1M a", ["read", "/dev/nvme0n1@1M", "a"]],
  ["copy --allow-write=serial:S/2 x y", ["copy", "--allow-write=serial:S/2", "x", "y"]],
  ["# a comment", []],
  ["list # and why", ["list"]],
  ["dump a#b", ["dump", "a#b"]],
  ["dump '#a' \\#b \"\"#c", ["dump", "#a", "#b", "#c"]],
  ["fill a './my file'", ["fill", "a", "./my file"]],
  ['fill a "./it\'s \\"it\\" \\\\ \\n"', ["fill", "a", './it\'s "it" \\ \\n']],
  ["fill a ./my\\ file", ["fill", "a", "./my file"]],
  ["a''b \"\" ''", ["ab", "", ""]],
  ["'a'\"b\"c", ["abc"]],
  ["'\\'", ["\\"]],
  ["ü€😀 x", ["ü€😀", "x"]],
  ["a\rb", ["a", "b"]],
];

for (const [line, words] of CASES) {
  test(`wordsOf() of ${JSON.stringify(line)}`, () => assert.equal(wordsOf(line), words));
}

for (const line of ["fill 'a", 'fill "a', "fill a\\", '"\\"']) {
  test(`wordsOf() refuses ${JSON.stringify(line)}, which is not finished`, () => {
    assert.throws(
      () => wordsOf(line),
      (error: unknown) => error instanceof P2pdmaError && error.code === "USAGE",
    );
  });
}

test("splitLine() says where the last word begins, quote included", () => {
  const at = (line: string) => line.slice(splitLine(line).lastStart);
  assert.is(at("copy /dev/nv"), "/dev/nv");
  assert.is(at("copy "), "");
  assert.is(at("copy './my f"), "'./my f");
  assert.is(at("copy ./my\\ f"), "./my\\ f");
  assert.is(at("copy 😀 b"), "b");
  assert.equal(splitLine("copy './my f").words, ["copy", "./my f"]);
  assert.is(splitLine("copy './my f").openQuote, "'");
});

test("quoteWord() makes words that read back as they were, in every quote", () => {
  for (const word of [
    "plain",
    "two words",
    "it's",
    'a"b',
    "back\\slash",
    "#x",
    "x#",
    "tab\there",
    "'",
    "\\",
  ]) {
    assert.equal(wordsOf(`x ${quoteWord(word)}`), ["x", word]);
    for (const quote of ['"', "'"] as const) {
      assert.equal(wordsOf(`x ${quote}${quoteWord(word, quote)}${quote}`), ["x", word]);
    }
  }
});

test.run();
