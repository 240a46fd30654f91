// SPDX-License-Identifier: MIT
import type { Command } from "commander";
import { copyCommand } from "./copy.ts";
import { labCommand } from "./lab.ts";
import { listCommand } from "./list.ts";

/** Every subcommand, in the order of the help. */
export function addCommands(program: Command): void {
  for (const command of [listCommand(), copyCommand(), labCommand()]) {
    program.addCommand(command.exitOverride().copyInheritedSettings(program));
  }
}
