// SPDX-License-Identifier: MIT
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { wholeProgram } from "../../../cli/program.ts";
import { exitCodeMeaning } from "../../../core/exit-codes.ts";
import manifest from "../../../package.json" with { type: "json" };
import { readHelpText } from "../../../scripts/help-text.ts";
import { FACTS } from "../../../scripts/man-facts.ts";
import { manPage, pageName } from "../../../scripts/man-page.ts";
import { escapeText } from "../../../scripts/roff.ts";
import { tempFolder } from "../temp.ts";

const folder = tempFolder("man");
const pages = new Map<string, { command: Command; text: string; file: string }>();

function render(command: Command, path: string[]): void {
  const name = pageName(path);
  const text = manPage(command, path, { version: "1.2.3", date: "2026-01-02" });
  const file = join(folder, `${name}.1`);
  writeFileSync(file, text);
  pages.set(name, { command, text, file });
  for (const sub of command.commands) render(sub, [...path, sub.name()]);
}

render(await wholeProgram(), []);
const files = [...pages.values()].map(({ file }) => file);

test("package.json installs a page for every command", () => {
  assert.equal([...manifest.man].sort(), [...pages.keys()].map((name) => `dist/man/${name}.1`).sort());
});

test("every option, argument and exit code of the help is on the page", () => {
  for (const [name, { command, text }] of pages) {
    const options = command.createHelp().visibleOptions(command);
    const wanted = [
      ...options.map(({ long, short }) => `\\fB${escapeText(long ?? short ?? "")}\\fR`),
      ...command.registeredArguments.map((argument) => `\\fI${escapeText(argument.name())}\\fR`),
      ...Object.keys(exitCodeMeaning).map((code) => `\\fB${code}\\fR`),
    ];
    for (const part of wanted) assert.ok(text.includes(part), `${name} lacks ${part}`);
  }
});

test("hidden options stay hidden", () => {
  assert.not.match(pages.get("p2pdma-doctor")?.text ?? "", /probe.{0,3}child/);
});

test("every command has an example, or its subcommands have", () => {
  const without = [...pages].filter(
    ([, { command, text }]) => command.commands.length === 0 && !/^\.SH EXAMPLES$/m.test(text),
  );
  assert.equal(
    without.map(([name]) => name),
    [],
  );
});

test("pages that are referred to exist", () => {
  for (const [name, { text }] of pages) {
    const references = [...text.matchAll(/\\fB(p2pdma[a-z\\-]*)\\fR\(1\)/g)].map(([, page = ""]) =>
      page.replaceAll("\\-", "-"),
    );
    for (const page of references) assert.ok(pages.has(page), `${name} refers to ${page}`);
  }
});

test("documents that are referred to exist", () => {
  const named = Object.values(FACTS).flatMap(({ docs = [] }) => docs);
  assert.equal(
    named.filter((name) => !existsSync(join(import.meta.dirname, "../../../docs", name))),
    [],
  );
});

const checkers: readonly (readonly [string, ...string[]])[] = [
  ["mandoc", "-T", "lint", "-W", "warning"],
  ["groff", "-ww", "-man", "-Tutf8", "-z"],
  ["man", "--warnings", "-E", "UTF-8", "-l"],
];

for (const [tool, ...args] of checkers) {
  if (spawnSync("sh", ["-c", `command -v ${tool}`]).status !== 0) {
    console.log(`# skip: manual pages by ${tool}: it is not installed`);
    test.skip(`${tool} has nothing to say`, () => {});
    continue;
  }
  test(`${tool} has nothing to say about any page`, () => {
    const env = { ...process.env, LC_ALL: "C.UTF-8", MANPAGER: "cat" };
    const { stdout, stderr, status } = spawnSync(tool, [...args, ...files], { encoding: "utf8", env });
    assert.is(stderr, "");
    if (tool === "mandoc") assert.is(stdout, "");
    assert.is(status, 0);
  });
}

test("readHelpText() tells what stands before, in and behind the examples", () => {
  const text = readHelpText(
    "\nBefore it.\n  kept   as is\nAnd on.\n\nExamples:\n  One:\n    p2pdma one\n\n  Two?\n    p2pdma two\n\nIn the end.\n\nExit code 0: fine.",
  );
  assert.is(text.description, ".PP\nBefore it.\n.PP\n.RS 4\n.EX\nkept   as is\n.EE\n.RE\n.PP\nAnd on.");
  assert.equal(
    text.sections.map(({ title }) => title),
    ["Examples"],
  );
  assert.match(text.sections[0]?.body ?? "", /One:\n\.PP\n\.RS 4\n\.EX\np2pdma one\n[\s\S]*Two\?\n\.PP/);
  assert.is(text.notes, ".PP\nIn the end.");
  assert.is(text.exitCodes, ".PP\nExit code 0: fine.");
});

test("escapeText() keeps roff from seeing requests, escapes and typographic quotes", () => {
  assert.is(escapeText(".a\n'b\\n -x ~^`é"), "\\&.a\n\\(aqb\\en \\-x \\(ti\\(ha\\(ga\\[u00E9]");
});

test("the pages of the build are those of the definitions", () => {
  const built = readFileSync(join(import.meta.dirname, "../../../dist/man/p2pdma-copy.1"), "utf8");
  const [, ...here] = (pages.get("p2pdma-copy")?.text ?? "").split("\n.nh\n");
  assert.is(built.split("\n.nh\n").slice(1).join(), here.join());
});

test.run();
