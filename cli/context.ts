// SPDX-License-Identifier: MIT
import { createInterface } from "node:readline/promises";

/** What a command sees of its process, so that tests can stand in for it. */
export interface CliContext {
  /** The result. */
  out(text: string): void;
  /** Progress, warnings and errors. */
  err(text: string): void;
  /** Both stdin and stderr are terminals: a question can be asked. */
  readonly canAsk: boolean;
  readonly stderrIsTerminal: boolean;
  /** Empty when the terminal goes away instead of answering. */
  ask(question: string): Promise<string>;
}

export const processContext: CliContext = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  canAsk: Boolean(process.stdin.isTTY && process.stderr.isTTY),
  stderrIsTerminal: Boolean(process.stderr.isTTY),
  ask: askOnTerminal,
};

async function askOnTerminal(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const hungUp = new Promise<string>((resolve) => terminal.once("close", () => resolve("")));
    return await Promise.race([terminal.question(question).catch(() => ""), hungUp]);
  } finally {
    terminal.close();
  }
}
