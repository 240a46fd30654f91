// SPDX-License-Identifier: MIT
import { Command, InvalidArgumentError, Option } from "commander";
import type { AccelRequest } from "../lab/accel.ts";
import { ensureGuestInit } from "../lab/guest-init.ts";
import { labKernel } from "../lab/kernel.ts";
import type { LabRunOptions } from "../lab/run.ts";
import { runInLab } from "../lab/run.ts";
import { topologies } from "../lab/topologies/index.ts";

export interface RunFlags {
  readonly topology: string;
  readonly disk?: string[];
  readonly share?: string[];
  readonly trace?: string;
  readonly traceEvent?: string[];
  readonly kernel?: string;
  readonly append?: string;
  readonly memory?: number;
  readonly latency?: number;
  readonly timeout?: number;
  readonly accel: AccelRequest;
  readonly qemuArg?: string[];
  readonly quiet?: boolean;
}

/** What the program says about exits and errors must reach the commands below this one, too. */
class LabCommand extends Command {
  override copyInheritedSettings(source: Command): this {
    for (const command of this.commands) command.copyInheritedSettings(source);
    return super.copyInheritedSettings(source).enablePositionalOptions();
  }
}

export function labCommand(): Command {
  return new LabCommand("lab")
    .description("boot a Linux kernel with peer-to-peer DMA in QEMU and run commands there")
    .enablePositionalOptions() // the options behind COMMAND are its own
    .addCommand(runCommand())
    .addCommand(shellCommand())
    .addCommand(listCommand())
    .addCommand(buildCommand())
    .addCommand(demoCommand())
    .addHelpText("after", LAB_EXAMPLES);
}

const LAB_EXAMPLES = `
The guest sees the host's files, read-only in effect: what it writes is gone when it ends,
except in directories given with --share. Nothing needs root on the host. The emulated
drives are /dev/lab/A, /dev/lab/B... in the guest; $P2PDMA_SCRATCH is a place to write.

Examples:
  p2pdma lab list                          the machines there are
  p2pdma lab run -- p2pdma list            a command in the default one
  p2pdma lab run --topology root-ports -- p2pdma doctor
  p2pdma lab shell                         look around in it`;

const RUN_EXAMPLES = `
Standard input, output and error, exit code, working directory and environment are those of
the command, as if it ran here. A command killed by signal N gives 128 + N. The first Ctrl-C
goes to the command; a second one, or 5 seconds, ends the guest.

Examples:
  p2pdma lab run -- sh -c 'dmesg | grep peer-to-peer'
  truncate -s 8G a.img; p2pdma lab run --disk a.img -- mkfs.ext4 /dev/lab/A
  p2pdma lab run --share results -- sh -c 'p2pdma list --json > results/list.json'
  p2pdma lab run --topology fast --latency 10ms -- p2pdma copy --length 64M --allow-write /dev/lab/A /dev/lab/B
  p2pdma lab run --trace trace.log -- p2pdma copy --length 1M --allow-write /dev/lab/A /dev/lab/B`;

const SHELL_EXAMPLES = `
The shell is $SHELL. Leaving it switches the machine off; what was written is gone, except in --share directories.

Examples:
  p2pdma lab shell
  p2pdma lab shell --topology switch-acs --share results`;

const LIST_EXAMPLES = `
Examples:
  p2pdma lab list
  p2pdma lab list --json | jq -r '.topologies[].name'`;

const BUILD_EXAMPLES = `
The paths of both are printed. The kernel is built once, in about 7 minutes of CPU time, and kept.

Examples:
  p2pdma lab build`;

const DEMO_EXAMPLES = `
Takes a few seconds once the kernel is built. Nothing is left behind.

Examples:
  p2pdma lab demo`;

function runCommand(): Command {
  return withMachineOptions(new Command("run"))
    .description("boot a machine, run COMMAND in it, and end with its exit code")
    .argument("<command...>", "the command and its arguments, after --")
    .passThroughOptions()
    .addHelpText("after", RUN_EXAMPLES)
    .action((command: string[], flags: RunFlags) => run(command, flags));
}

function shellCommand(): Command {
  return withMachineOptions(new Command("shell"))
    .description("boot a machine and open a shell in it")
    .addHelpText("after", SHELL_EXAMPLES)
    .action((flags: RunFlags) => run([process.env.SHELL || "/bin/sh"], flags));
}

function listCommand(): Command {
  return new Command("list")
    .description("list the machines that can be booted")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", LIST_EXAMPLES)
    .action(({ json }: { json?: boolean }) => {
      process.stdout.write(json ? renderListJson() : renderList());
    });
}

function buildCommand(): Command {
  return new Command("build")
    .description("build what the lab needs, unless it is there: the guest's init and the kernel")
    .addHelpText("after", BUILD_EXAMPLES)
    .action(async () => {
      process.stdout.write(`init    ${ensureGuestInit()}\n`);
      process.stdout.write(`kernel  ${await labKernel()}\n`);
    });
}

function demoCommand(): Command {
  return new Command("demo")
    .description("copy 64 MiB between two emulated drives through a CMB, and compare their images outside")
    .addHelpText("after", DEMO_EXAMPLES)
    .action(async () => {
      const { runDemo } = await import("../lab/demo.ts");
      await runDemo((text) => process.stdout.write(`${text}\n`));
    });
}

function withMachineOptions(command: Command): Command {
  return command
    .option("-t, --topology <name>", "machine to boot, see `p2pdma lab list`", "switch")
    .option("--disk <file>", "raw image to use for drive A; once more for B, C...", collect)
    .option("--share <dir>", "directory the guest may write, at the same path; repeatable", collect)
    .option("--latency <time>", "of drives that store nothing (topology fast): 0, 500us, 10ms", parseLatency)
    .option("--memory <MiB>", "memory of the guest", parsePositive)
    .option("--timeout <seconds>", "kill the guest when COMMAND takes longer", parsePositive)
    .option("--trace <file>", "write QEMU's record of the drives' commands and addresses there")
    .option("--trace-event <pattern>", "QEMU events to trace instead of the usual ones; repeatable", collect)
    .option("--kernel <file>", "boot this bzImage")
    .option("--append <args>", "more kernel parameters")
    .addOption(
      new Option("--accel <how>", "kvm only where a guest was seen to work under it")
        .choices(["auto", "kvm", "tcg"])
        .default("auto"),
    )
    .option("--qemu-arg <arg>", "one more argument for QEMU; repeatable", collect)
    .option("-q, --quiet", "no progress messages on stderr");
}

async function run(command: string[], flags: RunFlags): Promise<void> {
  const { exitCode } = await runInLab(runOptions(command, flags));
  process.exitCode = exitCode;
}

/** Flags as `runInLab` wants them; what was not given is left to its defaults. */
export function runOptions(command: string[], flags: RunFlags): LabRunOptions {
  const { disk, share, qemuArg, trace, traceEvent, kernel, append, memory, latency, timeout } = flags;
  return {
    ...{ command, stdio: "inherit", topology: flags.topology, accel: flags.accel },
    ...(disk && { disks: disk }),
    ...(share && { shares: share }),
    ...(qemuArg && { qemuArgs: qemuArg }),
    ...(trace !== undefined && { trace: { file: trace, ...(traceEvent && { events: traceEvent }) } }),
    ...(kernel !== undefined && { kernel }),
    ...(append !== undefined && { append }),
    ...(memory !== undefined && { memoryMiB: Math.ceil(memory) }),
    ...(latency !== undefined && { latencyNs: latency }),
    ...(timeout !== undefined && { timeoutMs: timeout * 1000 }),
    ...(!flags.quiet && { onProgress: (text: string) => process.stderr.write(`p2pdma lab: ${text}\n`) }),
  };
}

function collect(value: string, previous: string[] = []): string[] {
  return [...previous, value];
}

function parsePositive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("It must be a positive number.");
  return value;
}

const NANOSECONDS: Readonly<Record<string, number>> = { "": 1e6, ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

/** Nanoseconds; a bare number counts milliseconds. */
export function parseLatency(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ns|us|ms|s|)$/.exec(text);
  if (!match) throw new InvalidArgumentError("It looks like 0, 500us, 10ms or 1s.");
  return Math.round(Number(match[1]) * (NANOSECONDS[match[2] ?? ""] ?? 0));
}

export function renderList(): string {
  const width = Math.max(...topologies.map(({ name }) => name.length));
  return topologies.map(({ name, summary }) => `${name.padEnd(width)}  ${summary}\n`).join("");
}

export function renderListJson(): string {
  const list = topologies.map(({ name, summary, cpu, memoryMiB }) => ({ name, summary, cpu, memoryMiB }));
  return `${JSON.stringify({ schema: 1, topologies: list }, null, 2)}\n`;
}
