#!/usr/bin/env node
// SPDX-License-Identifier: MIT
import { Command, CommanderError } from "commander";
import { ExitCode as Exit, exitCodeMeaning } from "../core/exit-codes.ts";
import manifest from "../package.json" with { type: "json" };
import { expandBareOptions } from "./argv.ts";
import { addCommands } from "./commands.ts";
import { processContext } from "./context.ts";
import { reportError } from "./report-error.ts";

const program = new Command("p2pdma")
  .description(
    "Peer-to-peer DMA from userspace: move data between NVMe drives without a copy through system RAM",
  )
  .version(manifest.version)
  .showHelpAfterError("(add --help for usage and examples)")
  // An optional value is given with "=" only; see expandBareOptions.
  .configureHelp({ optionTerm: (option) => option.flags.replace(" [", "[=") })
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error:/, "p2pdma:")) })
  .exitOverride()
  // What stands behind a subcommand is its own: `lab run ls -la`.
  .enablePositionalOptions()
  .addHelpText("after", `\nExit codes:\n${exitCodeTable()}`);

addCommands(program);

// Whoever read our progress may be gone: no reason to break off a copy.
process.stderr.on("error", () => {});
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exitCode = Exit.failed;
  if (error.code !== "EPIPE") processContext.err(`p2pdma: cannot print the result: ${error.message}\n`);
});

try {
  await program.parseAsync(expandBareOptions(process.argv));
} catch (error) {
  process.exitCode =
    error instanceof CommanderError
      ? error.exitCode === 0
        ? 0
        : Exit.usage
      : reportError(processContext, error);
}

function exitCodeTable(): string {
  return Object.entries(exitCodeMeaning)
    .map(([code, meaning]) => `  ${code.padStart(3)}  ${meaning}`)
    .join("\n");
}
