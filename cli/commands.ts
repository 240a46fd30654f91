// SPDX-License-Identifier: MIT
import type { Command } from "commander";
import { benchCommand } from "./bench.ts";
import { captureCommand } from "./capture.ts";
import { cmbCommand } from "./cmb.ts";
import { copyCommand } from "./copy.ts";
import { doctorCommand } from "./doctor.ts";
import { kernelCommand } from "./kernel.ts";
import { labCommand } from "./lab.ts";
import { listCommand } from "./list.ts";
import { migrateCommand } from "./migrate.ts";
import { resumeCommand } from "./resume.ts";
import { topoCommand } from "./topo.ts";
import { verifyCommand } from "./verify.ts";

/** Every subcommand, in the order of the help. */
export function addCommands(program: Command): void {
  for (const command of [
    listCommand(),
    topoCommand(),
    doctorCommand(),
    copyCommand(),
    resumeCommand(),
    verifyCommand(),
    migrateCommand(),
    benchCommand(),
    cmbCommand(),
    captureCommand(),
    kernelCommand(),
    labCommand(),
  ]) {
    program.addCommand(command.exitOverride().copyInheritedSettings(program));
  }
}
