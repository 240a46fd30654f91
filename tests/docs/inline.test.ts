// SPDX-License-Identifier: MIT
// Commands named in running text and tables: their subcommands and options must exist. So must the files that are linked.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { wholeProgram } from "../../cli/program.ts";
import { packageRoot } from "../../lab/package-root.ts";
import { afterHelp } from "../../scripts/man-page.ts";
import { allDocuments } from "./documents.ts";

const FENCED = /^(```|~~~)[\s\S]*?^\1/gm;

const program = await wholeProgram();

for (const name of allDocuments()) {
  const commands = inlineCommands(readFileSync(`${packageRoot()}/${name}`, "utf8"));
  if (commands.length === 0) continue;
  test(`${name}: ${commands.length} commands in running text`, () => {
    const wrong = commands.flatMap((command) =>
      mistakes(command).map((mistake) => `\`${command}\`: ${mistake}`),
    );
    assert.equal(wrong, []);
  });
}

for (const name of allDocuments()) {
  test(`${name}: links lead somewhere`, () => {
    const text = readFileSync(`${packageRoot()}/${name}`, "utf8").replace(FENCED, "");
    const links = [...text.matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)].map(([, link = ""]) => link);
    const dead = links.filter((link) => !leads(link, name, text));
    assert.equal(dead, []);
  });
}

for (const [name, command] of everyCommand(program, "p2pdma")) {
  test(`${name} --help: its examples`, () => {
    const lines = afterHelp(command)
      .split("\n")
      .flatMap((line) => line.split(/(?=\bp2pdma [a-z])/).slice(1))
      .filter((line) => /^p2pdma [a-z]+/.test(line))
      .map((line) => line.replace(/ {2,}.*$/, ""));
    assert.equal(
      lines.flatMap((line) => mistakes(line).map((mistake) => `${line}: ${mistake}`)),
      [],
    );
  });
}

test("a command or option that there is not is found", () => {
  assert.equal(mistakes("p2pdma copy --vai p2p"), ["no option --vai"]);
  assert.equal(mistakes("p2pdma cpoy A B"), ["no command cpoy"]);
  assert.equal(mistakes("p2pdma lab run --topology fast -- ls -la --color"), []);
});

function everyCommand(command: Command, name: string): [string, Command][] {
  return [[name, command], ...command.commands.flatMap((sub) => everyCommand(sub, `${name} ${sub.name()}`))];
}

function leads(link: string, from: string, text: string): boolean {
  const [file = "", anchor] = link.split("#");
  if (file === "") return headings(text).includes(anchor ?? "");
  return existsSync(join(packageRoot(), dirname(from), file));
}

/** As GitHub names them. */
function headings(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

/** `p2pdma …` between backticks, outside of blocks. */
function inlineCommands(text: string): string[] {
  const prose = text.replace(FENCED, "");
  return [...prose.matchAll(/`(p2pdma [^`]+)`/g)].map(([, command = ""]) => command);
}

function mistakes(text: string): string[] {
  const [, ...all] = text
    .replace(/\$\([^)]*\)/g, "X")
    .replace(/[[\]]/g, "")
    .split(/\s+/)
    .map((word) => word.replace(/[),;]+$/, ""));
  const end = all.findIndex((word) => /^(\||#|>|&&|--$)/.test(word));
  const words = end < 0 ? all : all.slice(0, end);
  const { command, rest, unknown } = find(program, words);
  if (unknown !== undefined) return [`no command ${unknown}`];
  const known = command.options.flatMap(({ long, short }) => [long, short, ...(long ? [long] : [])]);
  return rest
    .filter((word) => /^--?[a-z]/.test(word))
    .map((word) => word.replace(/[=,].*$/, ""))
    .filter((word) => word !== "--help" && !known.includes(word))
    .map((word) => `no option ${word}`);
}

function find(
  command: Command,
  words: readonly string[],
): { command: Command; rest: readonly string[]; unknown?: string } {
  const [first, ...rest] = words;
  const sub = command.commands.find((one) => one.name() === first);
  if (sub) return find(sub, rest);
  const needsOne =
    command.commands.length > 0 && first !== undefined && /^[a-z]/.test(first) && first !== "help";
  return { command, rest: words, ...(needsOne ? { unknown: first } : {}) };
}

test.run();
