// SPDX-License-Identifier: MIT
import { Command } from "commander";
import { exitCodeMeaning } from "../core/exit-codes.ts";
import manifest from "../package.json" with { type: "json" };
import { addCommands } from "./commands.ts";

const EXAMPLES = `
Examples:
  p2pdma list                        which drives are there, and whose memory can be used?
  p2pdma doctor nvme0 nvme1          will peer-to-peer work between these two, and if not, why?
  p2pdma copy --dry-run /dev/nvme0n1 serial:S5XY
  p2pdma copy --via p2p --verify --allow-write=serial:S5XY /dev/nvme0n1 serial:S5XY
  p2pdma lab shell                   the same without the hardware`;

/** The program, without its subcommands. */
export function newProgram(): Command {
  return (
    new Command("p2pdma")
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
      .addHelpText("after", EXAMPLES)
      .addHelpText("after", `\nExit codes:\n${exitCodeTable()}`)
  );
}

/** The program with all its subcommands, for those who describe it: completion, manual pages. */
export async function wholeProgram(): Promise<Command> {
  const program = newProgram();
  await addCommands(program);
  return program;
}

function exitCodeTable(): string {
  return Object.entries(exitCodeMeaning)
    .map(([code, meaning]) => `  ${code.padStart(3)}  ${meaning}`)
    .join("\n");
}
