// SPDX-License-Identifier: MIT
import { Command, Option } from "commander";
import type { DumpOptions, FillOptions, HoldOptions } from "./cmb-hold-run.ts";
import type { ShowOptions } from "./cmb-show-run.ts";
import type { TestOptions } from "./cmb-test-run.ts";
import { processContext } from "./context.ts";
import { fromOption } from "./from-option.ts";

/** What the program says about exits and errors must reach the commands below this one, too. */
class CommandGroup extends Command {
  override copyInheritedSettings(source: Command): this {
    for (const command of this.commands) command.exitOverride().copyInheritedSettings(source);
    return super.copyInheritedSettings(source);
  }
}

const EXAMPLES = `
A provider is a PCI address (0000:03:00.0) or a controller (nvme0, /dev/nvme0). Any device that offers p2pmem will
do, also one that is no NVMe drive.

Examples:
  p2pdma cmb show                      what every drive's CMB can do, and who uses it
  p2pdma cmb alloc nvme0 8MiB          take 8 MiB away until Ctrl-C
  p2pdma cmb fill nvme0 8MiB --pattern random:1
  p2pdma cmb dump nvme0 256            what was left in it
  p2pdma cmb test nvme0                is that memory any good?`;

export function cmbCommand(): Command {
  return new CommandGroup("cmb")
    .description("look into, hold, fill, dump and test the memory of a drive (CMB, p2pmem)")
    .addCommand(showCommand())
    .addCommand(allocCommand())
    .addCommand(fillCommand())
    .addCommand(dumpCommand())
    .addCommand(testCommand())
    .addHelpText("after", EXAMPLES);
}

const SHOW_EXAMPLES = `
CMBLOC and CMBSZ are read in sysfs, the other registers in BAR 0 of the device, with 32-bit reads and without
writing anything. Where the kernel keeps that from us, the reason is printed and the rest is shown.

Examples:
  p2pdma cmb show
  p2pdma cmb show nvme0 0000:04:00.0
  p2pdma cmb show --json | jq '.controllers[] | {name, state, location}'
  p2pdma cmb show --from machine.json  the same of a capture, as far as it goes`;

function showCommand(): Command {
  return new Command("show")
    .description("decode a Controller Memory Buffer's registers: place, size, uses, rules, state")
    .argument(
      "[device...]",
      "controllers or other providers, as nvme0 or PCI address (default: all NVMe controllers on PCI)",
    )
    .option("--json", "print one JSON object")
    .addOption(fromOption())
    .addHelpText("after", SHOW_EXAMPLES)
    .action(async (devices: string[], options: ShowOptions) => {
      const { showCmbs } = await import("./cmb-show-run.ts");
      showCmbs(processContext, devices, options);
    });
}

const ALLOC_EXAMPLES = `
The memory is given back however the process ends. Ctrl-C, SIGTERM and SIGHUP are the ways to end it on purpose,
so the exit code is then 0.

Examples:
  p2pdma cmb alloc nvme0 60MiB         how does a copy do with less p2pmem?
  p2pdma cmb alloc nvme0 4k --json     one page, and where it lies
  timeout 10 p2pdma cmb alloc --allocator chardev nvme0 1M`;

function allocCommand(): Command {
  return withMemory(new Command("alloc"))
    .description("take p2pmem away and hold it until Ctrl-C, to see what others do without it")
    .option("--json", "print one JSON object when it is held")
    .addHelpText("after", ALLOC_EXAMPLES)
    .action(async (provider: string, size: string, options: HoldOptions) => {
      const { allocate } = await import("./cmb-hold-run.ts");
      await allocate(processContext, provider, size, options);
    });
}

const FRESH = `
p2pmem belongs to a mapping and can't be shared by path, so this works on a fresh allocation, which the kernel
usually takes from the lowest addresses that are free. It does not clear it: freed memory keeps what was in it until
somebody writes there.`;

const FILL_EXAMPLES = `${FRESH}

Patterns: zeros, ones, aa or any 1, 2, 4 or 8 bytes in hexadecimal (in the order of memory), random:SEED.

Examples:
  p2pdma cmb fill nvme0 8MiB                          wipe what others left there
  p2pdma cmb fill nvme0 4k --pattern deadbeef && p2pdma cmb dump nvme0 64
  p2pdma cmb fill nvme0 1M --pattern random:7 --hold  and keep it until Ctrl-C`;

function fillCommand(): Command {
  return withMemory(new Command("fill"))
    .description("write a pattern to freshly allocated p2pmem, by CPU")
    .option("--pattern <pattern>", "zeros, ones, HEX or random:SEED", "zeros")
    .option("--hold", "keep the memory until Ctrl-C (exit code 0)")
    .option("--json", "print one JSON object")
    .addHelpText("after", FILL_EXAMPLES)
    .action(async (provider: string, size: string, options: FillOptions) => {
      const { fill } = await import("./cmb-hold-run.ts");
      await fill(processContext, provider, size, options);
    });
}

const DUMP_EXAMPLES = `${FRESH}
That is what makes dumping useful: it shows what the last transfers left, and whose data that was.

Examples:
  p2pdma cmb dump nvme0 512            in hexadecimal
  p2pdma cmb dump nvme0 64k --offset 1M
  p2pdma cmb dump nvme0 8MiB -o left.bin
  p2pdma cmb dump nvme0 4k -o - | strings`;

function dumpCommand(): Command {
  return withMemory(new Command("dump"))
    .description("show what is in freshly allocated p2pmem, read by CPU")
    .option("--offset <size>", "begin there in the allocation, which is larger by as much", "0")
    .option("-o, --output <file>", "write the bytes there, - for stdout, instead of hexadecimal")
    .addHelpText("after", DUMP_EXAMPLES)
    .action(async (provider: string, size: string, options: DumpOptions) => {
      const { dump } = await import("./cmb-hold-run.ts");
      await dump(processContext, provider, size, options);
    });
}

const TEST_EXAMPLES = `
By CPU: each pattern and its complement are written to all of the memory, then all is read back.
  walking-ones  one bit set in each word, in turn; another one with each pass, so 64 passes set all in all
  address       every word holds its own address: finds addresses that lead to the same memory
  random        64-bit random numbers of a seed
By DMA: the memory is filled by CPU, then a drive reads blocks of its medium into every other piece of it, then into
the pieces between. What arrived is compared with the same blocks read into RAM, and the pieces between must still
hold their pattern. No medium is written. Nothing else is harmed: only free memory is tested.

Reading device memory by CPU is slow on real hardware, often a few MiB/s. When the device is removed meanwhile, the
kernel ends the process with SIGBUS.

Exit codes: 0 the memory is good, 4 it is not.

Examples:
  p2pdma cmb test nvme0                all that is free, by CPU and by the drive's own DMA
  p2pdma cmb test nvme0 4MiB --pattern random --seed 7 --passes 10
  p2pdma cmb test nvme0 --by dma --dma-from nvme1`;

function testCommand(): Command {
  return new Command("test")
    .description("test the memory of a provider, by CPU and by DMA, without writing to any medium")
    .argument("<provider>", "PCI address or controller")
    .argument("[size]", "how much of it (default: all that is free)")
    .addOption(
      new Option("--pattern <name>", "what to write by CPU")
        .choices(["walking-ones", "address", "random", "all"])
        .default("all"),
    )
    .option("--seed <n>", "of the random numbers", "1")
    .option("--passes <n>", "how many times", "1")
    .addOption(
      new Option(
        "--by <who>",
        "who accesses it (default: cpu, and dma if there is a drive that can)",
      ).choices(["cpu", "dma", "all"]),
    )
    .option(
      "--dma-from <device>",
      "drive that does the DMA (default: the provider itself, else any that can)",
    )
    .addOption(allocatorOption())
    .option("--json", "print one JSON object")
    .option("-q, --quiet", "no progress, no report")
    .addHelpText("after", TEST_EXAMPLES)
    .action(async (provider: string, size: string | undefined, options: TestOptions) => {
      const { runTest } = await import("./cmb-test-run.ts");
      await runTest(processContext, provider, size, options);
    });
}

function withMemory(command: Command): Command {
  return command
    .argument("<provider>", "PCI address or controller")
    .argument("<size>", "bytes, as 4096, 64k or 8MiB; rounded up to pages")
    .addOption(allocatorOption());
}

function allocatorOption(): Option {
  return new Option("--allocator <kind>", "how to get at the memory (default: what is there)").choices([
    "sysfs",
    "chardev",
  ]);
}
