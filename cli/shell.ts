// SPDX-License-Identifier: MIT
import { Command } from "commander";
import { processContext } from "./context.ts";
import type { ShellOptions } from "./shell-main.ts";

const EXAMPLES = `
p2pmem belongs to the process that took it. A session holds it from one command to the next:
  alloc [--name NAME] PROVIDER SIZE   take p2pmem                  buffers   what is held
  fill NAME PATTERN|FILE              write to it, by CPU          dump      look at it, by CPU
  read DEVICE[@OFFSET] NAME           DMA from a drive into it     compare   with another one or a file
  write NAME DEVICE[@OFFSET]          DMA from it to a drive       free      give it back
  copy --through NAME SRC DST         a copy with it as the staging buffer
All of p2pdma's other commands are there, too; help and Tab know them. One line is one command, # begins a comment,
quotes are those of a POSIX shell.

With a FILE, or with stdin from a pipe or file, no prompt is shown; where stdin is no terminal, nobody is asked. A
command that fails tells so on stderr, and the next one runs. Ctrl-C stops a running command, and a script with it.
Whatever ends the session, all that it holds is given back.

Exit codes: 0, or that of the first command that failed; 130 and 143 after a signal.

Examples:
  p2pdma shell
  p2pdma shell --stop-on-error move.p2p
  printf '%s\\n' 'alloc nvme0 8MiB' 'fill buf1 random:7' 'dump buf1' | p2pdma shell`;

export function shellCommand(): Command {
  return new Command("shell")
    .description("a session that holds p2pmem from one command to the next")
    .argument("[script]", "a file of commands, one a line (default: the terminal, or stdin)")
    .option("--stop-on-error", "end with the first command that fails")
    .option("--echo", "print each line before it runs")
    .addHelpText("after", EXAMPLES)
    .action(async (script: string | undefined, options: ShellOptions) => {
      const { runShell } = await import("./shell-main.ts");
      process.exitCode = await runShell(processContext, script, options);
    });
}
