// SPDX-License-Identifier: MIT
import type { Command } from "commander";

/** Every subcommand, in the order of the help. Each is loaded when it is needed: start-up is most of a one-liner. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  list: async () => (await import("./list.ts")).listCommand(),
  topo: async () => (await import("./topo.ts")).topoCommand(),
  doctor: async () => (await import("./doctor.ts")).doctorCommand(),
  copy: async () => (await import("./copy.ts")).copyCommand(),
  resume: async () => (await import("./resume.ts")).resumeCommand(),
  verify: async () => (await import("./verify.ts")).verifyCommand(),
  migrate: async () => (await import("./migrate.ts")).migrateCommand(),
  bench: async () => (await import("./bench.ts")).benchCommand(),
  cmb: async () => (await import("./cmb.ts")).cmbCommand(),
  capture: async () => (await import("./capture.ts")).captureCommand(),
  kernel: async () => (await import("./kernel.ts")).kernelCommand(),
  lab: async () => (await import("./lab.ts")).labCommand(),
  shell: async () => (await import("./shell.ts")).shellCommand(),
  completion: async () => (await import("./completion.ts")).completionCommand(),
};

/** Adds the subcommand that `args` (without program and script) begins with, or all when it names none. */
export async function addCommands(program: Command, args: readonly string[] = []): Promise<void> {
  const [first = ""] = args;
  if (first === "--version" || first === "-V") return;
  const named = Object.hasOwn(COMMANDS, first) ? [COMMANDS[first]] : Object.values(COMMANDS);
  for (const load of named) {
    const command = await load?.();
    if (command) program.addCommand(command.exitOverride().copyInheritedSettings(program));
  }
}
