// SPDX-License-Identifier: MIT
import { CommanderError } from "commander";
import type { CopyEnvironment } from "../core/copy/request.ts";
import { ExitCode } from "../core/exit-codes.ts";
import { HeldBuffers } from "../core/shell/buffers.ts";
import { SystemFiles } from "../core/sysfs.ts";
import { native } from "../ffi/index.ts";
import { expandBareOptions } from "./argv.ts";
import { addCommands } from "./commands.ts";
import type { CliContext } from "./context.ts";
import { newProgram } from "./program.ts";
import { reportError } from "./report-error.ts";
import { addSessionCommands } from "./shell-commands.ts";

/** What lives from one command to the next. */
export class ShellSession implements Disposable {
  readonly env: CopyEnvironment = { sys: new SystemFiles(), native };
  readonly buffers = new HeldBuffers();
  /** The user has said exit. */
  isOver = false;
  /** Of the first command that failed; 0 while none has. */
  firstFailure = 0;

  constructor(readonly context: CliContext) {}

  /** The program's own commands and those of the session. A new one for each line, since it keeps what it parsed. */
  async program() {
    const program = newProgram();
    await addCommands(program);
    addSessionCommands(program, this);
    return program;
  }

  /** Runs one command and reports its error. @returns its exit code */
  async run(words: readonly string[]): Promise<number> {
    const code = await this.#execute(words);
    this.fail(code);
    return code;
  }

  /** Notes how a command ended; 0 is no failure. */
  fail(exitCode: number): void {
    if (this.firstFailure === 0) this.firstFailure = exitCode;
  }

  /** What the process would have ended with; the session goes on. */
  async #execute(words: readonly string[]): Promise<number> {
    process.exitCode = undefined;
    try {
      const program = await this.program();
      await program.parseAsync(expandBareOptions(words), { from: "user" });
      return Number(process.exitCode ?? ExitCode.done);
    } catch (error) {
      if (!(error instanceof CommanderError)) return reportError(this.context, error);
      return error.exitCode === 0 ? ExitCode.done : ExitCode.usage;
    }
  }

  [Symbol.dispose](): void {
    this.buffers[Symbol.dispose]();
  }
}
