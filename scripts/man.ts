// SPDX-License-Identifier: MIT
// Writes a manual page for every command into the folder that the first argument names.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { wholeProgram } from "../cli/program.ts";
import manifest from "../package.json" with { type: "json" };
import { manPage, pageName, type Release } from "./man-page.ts";

/** The newest release that the changelog has a date for. */
function release(): Release {
  const date = /^## .*\((\d{4}-\d{2}-\d{2})\)$/m.exec(readFileSync("CHANGELOG.md", "utf8"))?.[1];
  if (date === undefined) throw new Error("CHANGELOG.md has no release with a date");
  return { version: manifest.version, date };
}

function* pages(command: Command, path: string[] = []): Generator<[string[], Command]> {
  yield [path, command];
  for (const sub of command.commands) yield* pages(sub, [...path, sub.name()]);
}

async function main(folder: string): Promise<void> {
  const at = release();
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [path, command] of pages(await wholeProgram())) {
    writeFileSync(join(folder, `${pageName(path)}.1`), manPage(command, path, at));
  }
}

void main(process.argv[2] ?? "dist/man");
