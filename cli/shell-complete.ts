// SPDX-License-Identifier: MIT
import { type Dirent, readdirSync } from "node:fs";
import { devicesOf, devicesOfLab } from "./completion-devices.ts";
import { type Completion, completeWords, type ValueSource } from "./completion-engine.ts";
import { valuesFrom } from "./completion-values.ts";
import type { ShellSession } from "./shell-session.ts";
import type { Completer } from "./shell-terminal.ts";
import { quoteWord, splitLine } from "./shell-words.ts";

/** Completes commands, options, devices, files and the names of what is held. */
export function completerFor(session: ShellSession): Completer {
  return async (line) => {
    const { words, lastStart, openQuote } = splitLine(line);
    const all = lastStart === line.length ? [...words, ""] : [...words];
    while (all.length > 1 && (all[0] === "p2pdma" || all[0] === "help")) all.shift();
    const sources = {
      here: withBuffers(session, valuesFrom(devicesOf(session.env.sys))),
      inLab: (topology: string | undefined) => valuesFrom(devicesOfLab(topology)),
    };
    const completion = completeWords(await session.program(), all, sources);
    const last = all.at(-1) ?? "";
    const typed = line.slice(lastStart);
    const found = candidates(completion, last).map(
      (word) => `${typed}${quoteWord(word.slice(last.length), openQuote)}${ending(word, openQuote)}`,
    );
    return [found, typed];
  };
}

function withBuffers({ buffers }: ShellSession, values: ValueSource): ValueSource {
  const names = () => buffers.list().map(({ name }) => ({ word: name, about: "" }));
  return (wanted) => {
    switch (wanted.of.name()) {
      case "buffer":
      case "through":
        return { suggestions: names(), paths: "none" };
      case "other":
        return { suggestions: names(), paths: "files" };
      case "pattern": {
        const { suggestions } = values(wanted);
        const patterns = ["zeros", "ones", "random:"].map((word) => ({ word, about: "" }));
        return { suggestions: wanted.path[0] === "fill" ? patterns : suggestions, paths: "files" };
      }
      default:
        return values(wanted);
    }
  };
}

function candidates({ suggestions, paths }: Completion, typed: string): string[] {
  const words = suggestions.map(({ word }) => word);
  return [...new Set([...words, ...(paths === "none" ? [] : filesLike(typed, paths === "folders"))])];
}

/** Names that go on with what was typed; a folder ends with a slash. */
function filesLike(typed: string, foldersOnly: boolean): string[] {
  const folder = typed.slice(0, typed.lastIndexOf("/") + 1);
  return entriesOf(folder || ".")
    .filter((entry) => !foldersOnly || entry.isDirectory())
    .map((entry) => `${folder}${entry.name}${entry.isDirectory() ? "/" : ""}`)
    .filter((name) => name.startsWith(typed) && (!name.startsWith(".") || typed.startsWith(".")));
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** A word that is whole is closed and followed by a blank. */
function ending(word: string, openQuote: string | undefined): string {
  return /[=/:,]$/.test(word) ? "" : `${openQuote ?? ""} `;
}
