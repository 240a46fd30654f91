// SPDX-License-Identifier: MIT
import { CommanderError } from "commander";
import { ExitCode as Exit } from "../core/exit-codes.ts";
import { expandBareOptions } from "./argv.ts";
import { addCommands } from "./commands.ts";
import { processContext } from "./context.ts";
import { newProgram } from "./program.ts";
import { reportError } from "./report-error.ts";

const program = newProgram();

// Whoever read our progress may be gone: no reason to break off a copy.
process.stderr.on("error", () => {});
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exitCode = Exit.failed;
  if (error.code !== "EPIPE") processContext.err(`p2pdma: cannot print the result: ${error.message}\n`);
});

void main();

// A function, since the bundle is a CommonJS script, which has no await of its own.
async function main(): Promise<void> {
  try {
    await addCommands(program, process.argv.slice(2));
    await program.parseAsync(expandBareOptions(process.argv));
  } catch (error) {
    process.exitCode =
      error instanceof CommanderError
        ? error.exitCode === 0
          ? 0
          : Exit.usage
        : reportError(processContext, error);
  }
}
