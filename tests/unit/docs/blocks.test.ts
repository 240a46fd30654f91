// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readDocument } from "../../docs/blocks.ts";

const fenced = (language: string, ...lines: string[]) => [`\`\`\`${language}`, ...lines, "```"].join("\n");

test("commands, their outputs and lines", () => {
  const { blocks, problems } = readDocument(
    "a.md",
    `text\n\n${fenced("console", "$ one", "out", "", "more", "$ two --x \\", ">    y", "$ three", "")}`,
  );
  assert.equal(problems, []);
  assert.equal(
    blocks[0]?.steps.map(({ line, command, output }) => ({ line, command, output })),
    [
      { line: 4, command: "one", output: ["out", "", "more"] },
      { line: 8, command: "two --x \\\n   y", output: [] },
      { line: 10, command: "three", output: [] },
    ],
  );
});

test("a here-document is part of its command", () => {
  const { blocks } = readDocument(
    "a.md",
    fenced("console", "$ cat > f <<EOF", "a: 1", "EOF", "$ cat f", "a: 1"),
  );
  assert.equal(
    blocks[0]?.steps.map(({ command }) => command),
    ["cat > f <<EOF\na: 1\nEOF", "cat f"],
  );
});

test("a comment says where the next block runs, and only that", () => {
  const { blocks } = readDocument(
    "a.md",
    `<!-- run: lab topology=root-ports drives=16M bad=A:4096 exit=3
setup: true
map: serial:X = serial:P2PLAB-A
-->
${fenced("console", "$ one")}

${fenced("console", "$ two")}

<!-- run: host -->
Text between: the comment is about nothing.
${fenced("console", "$ three")}`,
  );
  const [one, two, three] = blocks.map(({ directive }) => directive);
  assert.is(one?.topology, "root-ports");
  assert.is(one?.driveMiB, 16);
  assert.equal(one?.badSectors, ["A:4096"]);
  assert.equal(one?.setup, ["true"]);
  assert.equal(one?.map, [["serial:X", "serial:P2PLAB-A"]]);
  assert.is(blocks[0]?.steps[0]?.exitCode, 3);
  assert.is(two?.topology, "switch");
  assert.is(three?.where, "lab");
});

test("document: holds for all blocks behind it", () => {
  const { blocks } = readDocument(
    "a.md",
    `<!-- document: lab drives=16M\nmap: X = Y -->\n${fenced("console", "$ one")}\n<!-- run: exit=7 -->\n${fenced("console", "$ two")}`,
  );
  assert.equal(
    blocks.map(({ directive }) => directive.driveMiB),
    [16, 16],
  );
  assert.equal(blocks[1]?.directive.map, [["X", "Y"]]);
  assert.is(blocks[1]?.steps[0]?.exitCode, 7);
});

test("one exit code for each command, or one for all", () => {
  const read = (exit: string) =>
    readDocument("a.md", `<!-- run: lab exit=${exit} -->\n${fenced("console", "$ one", "$ two")}`);
  assert.equal(
    read("0,3").blocks[0]?.steps.map(({ exitCode }) => exitCode),
    [0, 3],
  );
  assert.equal(
    read("3").blocks[0]?.steps.map(({ exitCode }) => exitCode),
    [3, 3],
  );
  assert.match(read("0,1,2").problems[0] ?? "", /3 exit codes for 2 commands/);
});

const wrong: readonly (readonly [string, string, RegExp])[] = [
  ["a shell by another name", fenced("sh", "ls"), /a\.md:1: commands stand in ```console blocks/],
  ["commands in a block of no kind", fenced("", "p2pdma list"), /look like commands/],
  ["output before any command", fenced("console", "out", "$ one"), /begins with "\$ "/],
  ["a block without a command", fenced("console"), /without a command/],
  ["a place that is none", `<!-- run: moon -->\n${fenced("console", "$ a")}`, /"moon" is no place/],
  [
    "a setting that is none",
    `<!-- run: lab speed=1 -->\n${fenced("console", "$ a")}`,
    /"speed=1" is no setting/,
  ],
  ["a skip without a reason", `<!-- run: skip -->\n${fenced("console", "$ a")}`, /skip needs reason/],
];

for (const [name, text, message] of wrong) {
  test(`refused: ${name}`, () => {
    const { problems } = readDocument("a.md", text);
    assert.is(problems.length, 1, problems.join("\n"));
    assert.match(problems[0] ?? "", message);
  });
}

test("other comments and blocks are left alone", () => {
  const { blocks, problems } = readDocument(
    "a.md",
    `<!-- SPDX-License-Identifier: MIT -->\n${fenced("yaml", "a: 1")}\n${fenced("", "  drawing ->")}\n${fenced("text", "p2pdma: hint")}`,
  );
  assert.equal(blocks, []);
  assert.equal(problems, []);
});

test.run();
