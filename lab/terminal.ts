// SPDX-License-Identifier: MIT
import type { WindowSize } from "./protocol.ts";

/** The part of a process's standard streams that matters here. */
export interface Terminal {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** A command gets a terminal when all three of ours are one; else pipes, so that none are mixed up. */
export function isInteractive({ stdin, stdout, stderr }: Terminal = process): boolean {
  return Boolean(stdin.isTTY && stdout.isTTY && stderr.isTTY);
}

export function windowSize({ stdout }: Terminal = process): WindowSize {
  return { rows: stdout.rows || 24, columns: stdout.columns || 80 };
}

/** Hands every key to the guest's terminal, which echoes and interprets them. Returns how to undo it. */
export function takeTerminal(onResize: (size: WindowSize) => void, terminal: Terminal = process): () => void {
  const { stdin, stdout } = terminal;
  const resized = () => onResize(windowSize(terminal));
  const restore = () => void stdin.setRawMode(false);
  stdin.setRawMode(true);
  stdout.on("resize", resized);
  process.once("exit", restore);
  return () => {
    stdout.off("resize", resized);
    process.off("exit", restore);
    restore();
  };
}
