// SPDX-License-Identifier: MIT
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** A line of `--progress=json`. */
export interface ProgressEvent {
  readonly event: string;
  readonly [key: string]: unknown;
}

export interface ChildEnd {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it said last that was no event: its error, usually. */
  readonly lastWords: readonly string[];
}

export interface CopyProcess {
  readonly pid: number;
  readonly end: Promise<ChildEnd>;
  signal(name: NodeJS.Signals): void;
}

const KEPT_LINES = 20;

/**
 * Runs one copy as a process of its own, in a session of its own: Ctrl-C at the terminal reaches it through its
 * parent only, once. Its receipt goes straight to a file, which outlives us.
 * @param command our own program, up to its subcommand
 */
export function startCopy(
  command: readonly string[],
  args: readonly string[],
  receiptPath: string,
  onEvent: (event: ProgressEvent) => void,
): CopyProcess {
  const [file = "", ...rest] = command;
  const receipt = openSync(receiptPath, "w", 0o600);
  try {
    const child = spawn(file, [...rest, ...args], { stdio: ["ignore", receipt, "pipe"], detached: true });
    const lastWords: string[] = [];
    createInterface({ input: child.stderr as Readable }).on("line", (line) => {
      const event = parseEvent(line);
      if (event) return onEvent(event);
      lastWords.push(line);
      if (lastWords.length > KEPT_LINES) lastWords.shift();
    });
    const end = new Promise<ChildEnd>((resolve) => {
      child.on("error", (error) => {
        resolve({ exitCode: 1, signal: null, lastWords: [`Cannot start "${file}": ${error.message}`] });
      });
      child.on("close", (exitCode, signal) => resolve({ exitCode, signal, lastWords }));
    });
    return { pid: child.pid ?? 0, end, signal: (name) => void child.kill(name) };
  } finally {
    closeSync(receipt);
  }
}

function parseEvent(line: string): ProgressEvent | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const value = JSON.parse(line) as ProgressEvent;
    return typeof value.event === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}
