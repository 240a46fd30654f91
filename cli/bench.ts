// SPDX-License-Identifier: MIT
import { Command, Option } from "commander";
import type { MixedOptions } from "./bench-mixed-run.ts";
import type { BenchOptions } from "./bench-options.ts";
import { processContext } from "./context.ts";

/** What the program says about exits and errors must reach the commands below this one, too. */
class CommandGroup extends Command {
  override copyInheritedSettings(source: Command): this {
    for (const command of this.commands) command.exitOverride().copyInheritedSettings(source);
    return super.copyInheritedSettings(source);
  }
}

const EXAMPLES = `
Every point of the sweep is measured through the p2pmem of every device that can lend some and through RAM, all
repeats interleaved, so that what drifts meanwhile drifts for all of them.

Examples:
  p2pdma bench read nvme0n1
  p2pdma bench read nvme0n1 --chunk 4k..1m --depth 1..32 --html read.html
  p2pdma bench copy nvme0n1 nvme1n1 --allow-write=/dev/nvme1n1 --via p2p,ram
  p2pdma bench mixed nvme0n1 nvme1n1`;

export function benchCommand(): Command {
  return new CommandGroup("bench")
    .description("measure throughput, latency and CPU time through p2pmem and through RAM, side by side")
    .addCommand(readCommand())
    .addCommand(writeCommand())
    .addCommand(copyCommand())
    .addCommand(mixedCommand())
    .addHelpText("after", EXAMPLES);
}

const READ_EXAMPLES = `
Nothing is written.

Examples:
  p2pdma bench read /dev/nvme0n1 --random --chunk 4k --depth 1..64
  p2pdma bench read nvme0n1 --provider nvme1 --via p2p --time 10s --repeat 5
  p2pdma bench read nvme0n1 --fio-json fio.json    the same in fio's words, beside ours`;

function readCommand(): Command {
  return withSweep(new Command("read"))
    .description("read from a device")
    .argument("<device>", "block device or file, as nvme0n1, /dev/nvme0n1 or serial:…")
    .addHelpText("after", READ_EXAMPLES)
    .action((device: string, options: BenchOptions) => run("read", device, undefined, options));
}

const WRITE_EXAMPLES = `
This overwrites the device with random data, so it needs permission as copy does.

Examples:
  p2pdma bench write /dev/nvme1n1 --allow-write=/dev/nvme1n1 --chunk 128k --depth 1,8,32
  p2pdma bench write /mnt/scratch/file --size 4G   a file that is there, as far as it goes`;

function writeCommand(): Command {
  return withPermission(withSweep(new Command("write")))
    .description("overwrite a device")
    .argument("<device>", "block device or existing file")
    .addHelpText("after", WRITE_EXAMPLES)
    .action((device: string, options: BenchOptions) => run("write", undefined, device, options));
}

const COPY_EXAMPLES = `
Each slot reads a chunk and then writes it, as copy does. The destination is overwritten, so it needs permission.

Examples:
  p2pdma bench copy /dev/nvme0n1 /dev/nvme1n1 --allow-write --depth 1..32`;

function copyCommand(): Command {
  return withPermission(withSweep(new Command("copy")))
    .description("read from one device and write to another")
    .argument("<source>", "block device or file")
    .argument("<destination>", "block device or existing file")
    .addHelpText("after", COPY_EXAMPLES)
    .action((source: string, destination: string, options: BenchOptions) =>
      run("copy", source, destination, options),
    );
}

const MIXED_EXAMPLES = `
Each request reads into an iovec of which some pages are p2pmem and the rest is RAM: alternating (spread evenly),
in halves (p2pmem first), or a single page of p2pmem among the rest. A drive or kernel that refuses such requests
is reported, and is no failure of this command. Nothing is written.

Examples:
  p2pdma bench mixed nvme0n1 nvme1n1               each of them as the reader, with every provider
  p2pdma bench mixed nvme1n1 --provider nvme0 --share 0,10..80,100 --html mixed.html`;

function mixedCommand(): Command {
  return withOutput(withTiming(new Command("mixed")))
    .description("read into p2pmem and RAM within one request: does it work, and is its latency steady?")
    .argument("<device...>", "block devices that read")
    .option("--chunk <size>", "of one request", "64k")
    .option("--depth <n>", "requests in flight", "1")
    .option("--share <list>", "percent of the pages that are p2pmem", "0,25,50,75,100")
    .option("--provider <devices>", "whose p2pmem, comma separated (default: every one)")
    .addOption(allocatorOption())
    .addHelpText("after", MIXED_EXAMPLES)
    .action(async (devices: string[], options: MixedOptions) => {
      const { runMixedBench } = await import("./bench-mixed-run.ts");
      await runMixedBench(processContext, devices, options);
    });
}

async function run(
  kind: "read" | "write" | "copy",
  source: string | undefined,
  destination: string | undefined,
  options: BenchOptions,
): Promise<void> {
  const { runBenchCommand } = await import("./bench-run.ts");
  await runBenchCommand(processContext, kind, source, destination, options);
}

function withSweep(command: Command): Command {
  return withOutput(withTiming(command))
    .option("--chunk <sizes>", "bytes of a request: 4k..1m doubles, 4k,64k lists", "128k")
    .option("--depth <numbers>", "requests in flight: 1..32 doubles, 1,8,32 lists", "1,8,32")
    .option("--random", "at random offsets, whole chunks (default: one after the other)")
    .option("--seed <n>", "of the offsets and of the data that are written", "1")
    .option("--via <ways>", "p2p, ram, or both (default: both, where p2p is possible)")
    .option("--provider <devices>", "whose p2pmem, comma separated (default: every one that works)")
    .addOption(allocatorOption())
    .option("--offset <size>", "begin there on the device", "0")
    .option("--length <size>", "use so much of it, again and again (default: to its end)")
    .option("--fio-json <file>", "show what fio measured beside the points that are like it");
}

function withTiming(command: Command): Command {
  return command
    .option("--time <time>", "measure each point for so long (default: 1s)")
    .option("--size <size>", "or until so much was moved")
    .option("--warmup <time>", "before that, unmeasured", "250ms")
    .option("--repeat <n>", "measure each point so often", "3");
}

function withOutput(command: Command): Command {
  return command
    .option("--json", "print one JSON object")
    .option("--csv", "print a line for each point, for spreadsheets")
    .option("--html <file>", "write a page with the curves and the machine into this file")
    .option("-q, --quiet", "no progress, no report");
}

function withPermission(command: Command): Command {
  return command
    .option("--allow-write [devices]", "permit overwriting block devices: any, or these (comma separated)")
    .option(
      "--overwrite <kinds>",
      "overwrite a device although it holds these: mounted, swap, held, partitions, filesystem",
    );
}

function allocatorOption(): Option {
  return new Option("--allocator <kind>", "how to get at p2pmem (default: what is there)").choices([
    "sysfs",
    "chardev",
  ]);
}
