// SPDX-License-Identifier: MIT
import { createInterface, type Interface } from "node:readline";
import type { LineSource } from "./shell-lines.ts";

/** Candidates for the last word, and that word as it stands in the line. */
export type Completer = (line: string) => Promise<[candidates: string[], typed: string]>;

export interface TerminalHooks {
  readonly complete: Completer;
  /** The newest first. */
  readonly history: readonly string[];
  readonly onLine: (line: string) => void;
}

/**
 * Lines that a person edits. While a command runs the terminal is as it was, so that Ctrl-C is a signal and
 * questions can be asked; what is typed or pasted meanwhile comes up at the next prompt.
 */
export class TerminalLines implements LineSource {
  readonly #waiting: string[] = [];
  #history: string[];
  #unfinished = "";
  #editor: Interface | undefined;
  #isClosed = false;

  constructor(private readonly hooks: TerminalHooks) {
    this.#history = [...hooks.history];
  }

  async next(prompt: string): Promise<string | undefined> {
    const pasted = this.#waiting.shift();
    if (pasted !== undefined) process.stderr.write(`${prompt}${pasted}\n`);
    const line = pasted ?? (await this.#edit(prompt));
    if (line?.trim()) this.hooks.onLine(line);
    return line;
  }

  forget(): void {
    this.#waiting.length = 0;
    this.#unfinished = "";
  }

  close(): void {
    this.#isClosed = true;
    this.#editor?.close();
  }

  #edit(prompt: string): Promise<string | undefined> {
    if (this.#isClosed) return Promise.resolve(undefined);
    const editor = createInterface({
      ...{ input: process.stdin, output: process.stderr, terminal: true, prompt },
      ...{ history: this.#history, historySize: 1000, removeHistoryDuplicates: true, tabSize: 4 },
      completer: (line: string, done: (error: Error | null, result: [string[], string]) => void) => {
        this.hooks.complete(line).then(
          (result) => done(null, result),
          () => done(null, [[], line]),
        );
      },
    });
    this.#editor = editor;
    return new Promise((resolve) => {
      const lines: string[] = [];
      let isEnough = false;
      // One chunk of input may hold several lines: all of it is heard before the editor goes.
      editor.on("line", (line) => {
        if (lines.push(line) > 1) return;
        setImmediate(() => {
          isEnough = true;
          editor.close();
        });
      });
      editor.on("SIGINT", () => {
        process.stderr.write("^C\n");
        editor.write(null, { ctrl: true, name: "e" });
        editor.write(null, { ctrl: true, name: "u" });
        editor.prompt();
      });
      editor.on("history", (history) => {
        this.#history = history;
      });
      editor.on("close", () => {
        this.#editor = undefined;
        const [first, ...more] = lines;
        this.#waiting.push(...more);
        this.#unfinished = editor.line;
        if (first === undefined) process.stderr.write("\n");
        if (!isEnough) this.#isClosed = true;
        resolve(first);
      });
      editor.prompt();
      if (this.#unfinished) editor.write(this.#unfinished);
    });
  }
}
