// SPDX-License-Identifier: MIT

import { ExitCode } from "../core/exit-codes.ts";
import type { CliContext } from "./context.ts";
import { reportError } from "./report-error.ts";
import { completerFor } from "./shell-complete.ts";
import { historyPath, ShellHistory } from "./shell-history.ts";
import { type LineSource, linesOf, linesOfFile } from "./shell-lines.ts";
import { runLoop } from "./shell-loop.ts";
import { ShellSession } from "./shell-session.ts";
import { TerminalLines } from "./shell-terminal.ts";
import { wordsOf } from "./shell-words.ts";

export interface ShellOptions {
  readonly stopOnError?: boolean;
  readonly echo?: boolean;
}

const PROMPT = "p2pdma> ";
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs a session to its end. @returns the exit code: that of the first command that failed, or of a signal */
export async function runShell(
  context: CliContext,
  script: string | undefined,
  options: ShellOptions,
): Promise<number> {
  using session = new ShellSession(context);
  const isTerminal = script === undefined && context.canAsk;
  const source = isTerminal ? terminalLines(session) : await scriptLines(script);
  const signals = watchSignals(isTerminal, source);
  try {
    await runLoop({
      commands: await commandNames(session),
      next: () => nextWords(session, source, options, signals),
      run: async (words) => void (await session.run(words)),
    });
  } finally {
    source.close();
    signals.release();
  }
  return signals.exitCode() ?? session.firstFailure;
}

/** The next line that says something; a line that can't be read counts as a command that failed. */
async function nextWords(
  session: ShellSession,
  source: LineSource,
  { stopOnError, echo }: ShellOptions,
  signals: WatchedSignals,
): Promise<readonly string[] | undefined> {
  const isOver = () =>
    session.isOver || signals.exitCode() !== undefined || (stopOnError && session.firstFailure !== 0);
  while (!isOver()) {
    const line = await source.next(PROMPT);
    if (line === undefined || isOver()) return undefined;
    if (echo && line.trim()) session.context.out(`${PROMPT}${line.trim()}\n`);
    try {
      const words = wordsOf(line);
      const own = words[0] === "p2pdma" ? words.slice(1) : words;
      if (own.length > 0) return own;
    } catch (error) {
      session.fail(reportError(session.context, error));
    }
  }
  return undefined;
}

function terminalLines(session: ShellSession): LineSource {
  const { context } = session;
  const history = new ShellHistory(historyPath(), (text) => context.err(`p2pdma: ${text}\n`));
  context.err("p2pdma shell: help lists the commands, exit or Ctrl-D leaves\n");
  return new TerminalLines({
    complete: completerFor(session),
    history: history.read(),
    onLine: (line) => history.add(line.trim()),
  });
}

function scriptLines(script: string | undefined): Promise<LineSource> | LineSource {
  return script === undefined ? linesOf(process.stdin, "stdin") : linesOfFile(script);
}

async function commandNames(session: ShellSession): Promise<string[]> {
  const { commands } = await session.program();
  return ["help", ...commands.flatMap((command) => [command.name(), ...command.aliases()])];
}

interface WatchedSignals {
  /** Undefined while no signal has ended the session. */
  exitCode(): number | undefined;
  release(): void;
}

/** What a signal does to a command is the command's; then it ends the session, but for Ctrl-C at a terminal. */
function watchSignals(isTerminal: boolean, source: LineSource): WatchedSignals {
  let exitCode: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    if (signal === "SIGINT" && isTerminal) return source.forget();
    exitCode ??= signal === "SIGINT" ? ExitCode.interrupted : ExitCode.terminated;
    source.close();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    exitCode: () => exitCode,
    release: () => {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}
