// SPDX-License-Identifier: MIT
// The commands that only a session has: those that hold memory from one line to the next.
import { Command, Option } from "commander";
import { usageError } from "../core/errors.ts";
import type { ShellSession } from "./shell-session.ts";

const DEVICE = "block device, partition or file, also serial:SERIAL or wwid:WWID; @OFFSET begins there";

/** Adds them, and `--through` to copy. */
export function addSessionCommands(program: Command, session: ShellSession): void {
  program.commandsGroup("Commands of this session, for memory that is held:");
  for (const command of [
    allocCommand(session),
    buffersCommand(session),
    fillCommand(session),
    dumpCommand(session),
    compareCommand(session),
    readCommand(session),
    writeCommand(session),
    freeCommand(session),
    exitCommand(session),
  ]) {
    program.addCommand(command.exitOverride().copyInheritedSettings(program));
  }
  const existing = (name: string) => program.commands.find((command) => command.name() === name);
  existing("copy")?.addOption(
    new Option("--through <buffer>", "use this held buffer as the staging buffer").argParser((name) =>
      session.buffers.get(name),
    ),
  );
  existing("shell")?.action(() => {
    throw usageError("This is a p2pdma shell already");
  });
}

function allocCommand(session: ShellSession): Command {
  return new Command("alloc")
    .description("take p2pmem and hold it until free, or until the session ends")
    .argument("<provider>", "PCI address or controller")
    .argument("<size>", "bytes, as 4096, 64k or 8MiB; rounded up to pages")
    .option("--name <buffer>", "what to call it (default: buf1, buf2…)")
    .addOption(
      new Option("--allocator <kind>", "how to get at the memory (default: what is there)").choices([
        "sysfs",
        "chardev",
      ]),
    )
    .action(async (provider: string, size: string, options) => {
      (await import("./shell-run.ts")).allocate(session, provider, size, options);
    });
}

function buffersCommand(session: ShellSession): Command {
  return new Command("buffers").description("what is held, and where it lies").action(async () => {
    (await import("./shell-run.ts")).listBuffers(session);
  });
}

const FILL_HELP = `
A word with a slash in it is a file: its bytes go to the start of the buffer, and what lies behind them stays.
Patterns: zeros, ones, aa or any 1, 2, 4 or 8 bytes in hexadecimal (in the order of memory), random:SEED.

Examples:
  fill a deadbeef
  fill a random:7
  fill a ./firmware.bin`;

function fillCommand(session: ShellSession): Command {
  return new Command("fill")
    .description("write a pattern or a file into a buffer, by CPU")
    .argument("<buffer>", "its name")
    .argument("<pattern>", "zeros, ones, HEX, random:SEED, or a file as ./NAME")
    .addHelpText("after", FILL_HELP)
    .action(async (name: string, pattern: string) => {
      await (await import("./shell-run.ts")).fill(session, name, pattern);
    });
}

const DUMP_HELP = `
Examples:
  dump a                  the first 256 bytes, in hexadecimal
  dump a 1M 4k            4 KiB from 1 MiB on
  dump a -o ./a.bin       all of it into a file`;

function dumpCommand(session: ShellSession): Command {
  return new Command("dump")
    .description("show what is in a buffer, read by CPU")
    .argument("<buffer>", "its name")
    .argument("[offset]", "begin there (default: 0)")
    .argument("[length]", "so much of it (default: 256 bytes; with --output all that follows)")
    .option("-o, --output <file>", "write the bytes there, - for stdout, instead of hexadecimal")
    .addHelpText("after", DUMP_HELP)
    .action(async (name: string, offset: string | undefined, length: string | undefined, options) => {
      await (await import("./shell-run.ts")).dump(session, name, offset, length, options);
    });
}

const COMPARE_HELP = `
As many bytes are compared as both have. A word with a slash in it is a file. The CPU compares: over PCIe that is a
few MiB a second on real hardware.

Exit codes: 0 they are equal, 4 they differ.

Examples:
  compare a b
  compare a ./firmware.bin`;

function compareCommand(session: ShellSession): Command {
  return new Command("compare")
    .description("compare a buffer with another one or a file, by CPU")
    .argument("<buffer>", "its name")
    .argument("<other>", "another buffer, or a file as ./NAME")
    .addHelpText("after", COMPARE_HELP)
    .action(async (name: string, other: string) => {
      await (await import("./shell-run.ts")).compare(session, name, other);
    });
}

const READ_HELP = `
The drive writes into the provider's memory itself (O_DIRECT), or the command fails: there is no way through RAM.

Examples:
  read /dev/nvme0n1 a               as much as the buffer holds, from the start of the drive
  read /dev/nvme0n1@1G a --length 1M
  read serial:S5XY@64k a --at 8k    into the buffer from its byte 8192 on`;

function readCommand(session: ShellSession): Command {
  return withPlace(
    new Command("read")
      .description("bring blocks of a device into a buffer, by the device's DMA")
      .argument("<device>", DEVICE)
      .argument("<buffer>", "its name"),
  )
    .addHelpText("after", READ_HELP)
    .action(async (device: string, name: string, options) => {
      await (await import("./shell-run.ts")).read(session, device, name, options);
    });
}

const WRITE_HELP = `
The drive reads the provider's memory itself (O_DIRECT), or the command fails. The destination is checked as a copy's
destination is, and needs the same permission. When the command ends, the data are durable.

Examples:
  write a /dev/nvme1n1 --allow-write=/dev/nvme1n1
  write a serial:S5XY@1G --length 1M`;

function writeCommand(session: ShellSession): Command {
  return withPlace(
    new Command("write")
      .description("bring a buffer to blocks of a device, by the device's DMA")
      .argument("<buffer>", "its name")
      .argument("<device>", DEVICE),
  )
    .option("--allow-write [devices]", "permit overwriting block devices: any, or these (comma separated)")
    .option(
      "--overwrite <kinds>",
      "overwrite a device although it holds these: mounted, swap, held, partitions, filesystem",
    )
    .addHelpText("after", WRITE_HELP)
    .action(async (name: string, device: string, options) => {
      await (await import("./shell-run.ts")).write(session, name, device, options);
    });
}

function withPlace(command: Command): Command {
  return command
    .option("--length <size>", "so much (default: to the end of the buffer)")
    .option("--at <size>", "begin there in the buffer (default: 0)");
}

function freeCommand(session: ShellSession): Command {
  return new Command("free")
    .description("give held memory back")
    .argument("[buffer...]", "names")
    .option("--all", "all that is held")
    .action(async (names: string[], options) => {
      (await import("./shell-run.ts")).free(session, names, options);
    });
}

function exitCommand(session: ShellSession): Command {
  return new Command("exit")
    .alias("quit")
    .description("leave the session; all that is held is given back")
    .action(() => {
      session.isOver = true;
    });
}
