// SPDX-License-Identifier: MIT
import { closeSync, constants, fchmodSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { journalDirectory } from "../core/journal/store.ts";

const MOST_LINES = 1000;

/** Lines that were typed, kept from one session to the next in a file that only its owner can read. */
export class ShellHistory {
  #isBroken = false;

  constructor(
    private readonly path: string,
    private readonly warn: (text: string) => void,
  ) {}

  /** The newest first, as readline wants them. */
  read(): string[] {
    try {
      const lines = readFileSync(this.path, "utf8").split("\n").filter(Boolean);
      if (lines.length > 2 * MOST_LINES) this.#write("w", lines.slice(-MOST_LINES));
      return lines.slice(-MOST_LINES).reverse();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") this.#giveUp(error);
      return [];
    }
  }

  add(line: string): void {
    this.#write("a", [line]);
  }

  #write(mode: "a" | "w", lines: readonly string[]): void {
    if (this.#isBroken) return;
    try {
      mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
      const { O_WRONLY, O_CREAT, O_NOFOLLOW, O_APPEND, O_TRUNC } = constants;
      const how = mode === "a" ? O_APPEND : O_TRUNC;
      const fd = openSync(this.path, O_WRONLY | O_CREAT | O_NOFOLLOW | how, 0o600);
      try {
        fchmodSync(fd, 0o600);
        writeFileSync(fd, lines.map((line) => `${line}\n`).join(""));
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** No reason not to work. */
  #giveUp(error: unknown): void {
    this.#isBroken = true;
    this.warn(`no history is kept: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** `$XDG_STATE_HOME/p2pdma/shell-history` */
export function historyPath(): string {
  return join(dirname(journalDirectory()), "shell-history");
}
