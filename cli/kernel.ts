// SPDX-License-Identifier: MIT
import { Argument, Command, Option } from "commander";
import { fragmentNames } from "../kernel-series/fragment.ts";
import { processContext } from "./context.ts";
import type { BuildOptions } from "./kernel-build.ts";
import type { ConfigOptions } from "./kernel-config.ts";
import type { PatchOptions } from "./kernel-patch.ts";
import type { SeriesOptions } from "./kernel-series.ts";
import type { StatusOptions } from "./kernel-status.ts";

/** What the program says about exits and errors must reach the commands below this one, too. */
class CommandGroup extends Command {
  override copyInheritedSettings(source: Command): this {
    for (const command of this.commands) command.exitOverride().copyInheritedSettings(source);
    return super.copyInheritedSettings(source);
  }
}

export function kernelCommand(): Command {
  return new CommandGroup("kernel")
    .description("what a kernel can do and what it lacks; our patches, and kernels made with them")
    .addCommand(statusCommand())
    .addCommand(seriesCommand())
    .addCommand(configCommand())
    .addCommand(patchCommand())
    .addCommand(buildCommand())
    .addHelpText("after", KERNEL_EXAMPLES);
}

const KERNEL_EXAMPLES = `
Examples:
  p2pdma kernel status                             can this kernel do it?
  p2pdma kernel config --merge /boot/config-$(uname -r)
  p2pdma kernel patch --check linux-6.12           do our patches apply there?
  p2pdma kernel build                              the lab's kernel`;

const STATUS_EXAMPLES = `
A source tree is judged by its code, not by its version, so backports count. A configuration
says for certain what a kernel can't do; what it can is concluded from its version. Of the
running kernel its configuration, symbol table, modules and sysfs are read; nothing is tried.

Examples:
  p2pdma kernel status
  p2pdma kernel status --source /usr/src/linux-source-6.12
  p2pdma kernel status --config /boot/config-6.12.0
  p2pdma kernel status --json | jq -r '.features[] | select(.state == "absent") | .id'
  p2pdma lab run -- p2pdma kernel status`;

function statusCommand(): Command {
  return new Command("status")
    .description("tell which features of peer-to-peer DMA a kernel has, and who needs them")
    .addOption(new Option("--source <dir>", "judge this kernel source tree").conflicts("config"))
    .option("--config <file>", "judge a kernel of this configuration, which may be compressed")
    .option("-v, --verbose", "show for what is there, too, where it was seen")
    .option("--json", "print one JSON object")
    .addHelpText("after", STATUS_EXAMPLES)
    .action(async (options: StatusOptions) => {
      const { showStatus } = await import("./kernel-status.ts");
      showStatus(processContext, options);
    });
}

const SERIES_EXAMPLES = `
"Userspace P2PDMA with O_DIRECT NVMe devices", 24 patches in its fifth version of January
2022: what each was for, and what became of it. With NUMBER one patch in full. Every fact
names its source, and how it was checked.

Examples:
  p2pdma kernel series
  p2pdma kernel series 23
  p2pdma kernel series --history
  p2pdma kernel series --json | jq '.patches[] | select(.fate == "replaced")'`;

function seriesCommand(): Command {
  return new Command("series")
    .description("show the patches that let user space do peer-to-peer DMA, and their fate")
    .argument("[number]", "one patch, 1 to 24")
    .option("--history", "the versions of the series, and what came before and after it")
    .option("--json", "print one JSON object")
    .addHelpText("after", SERIES_EXAMPLES)
    .action(async (number: string | undefined, options: SeriesOptions) => {
      const { showSeries } = await import("./kernel-series.ts");
      showSeries(processContext, number, options);
    });
}

const CONFIG_EXAMPLES = `
minimal is what any kernel needs, to be merged into its configuration. lab is the lab's kernel
over tinyconfig. With --merge only what FILE lacks is printed, and it ends with 1 when that is
anything; a module is as good as built in, except for the lab.

Examples:
  p2pdma kernel config
  p2pdma kernel config --merge /boot/config-$(uname -r) > missing.config
  scripts/kconfig/merge_config.sh .config missing.config    # in a kernel source`;

function configCommand(): Command {
  return new Command("config")
    .description("print the options that peer-to-peer DMA needs, with the reason for each")
    .addArgument(new Argument("[fragment]", "which kernel").choices([...fragmentNames]).default("minimal"))
    .option("--merge <file>", "print only what this configuration lacks")
    .option("--json", "print one JSON object")
    .addHelpText("after", CONFIG_EXAMPLES)
    .action(async (fragment: string, options: ConfigOptions) => {
      const { showConfig } = await import("./kernel-config.ts");
      process.exitCode = showConfig(processContext, fragment, options);
    });
}

const PATCH_EXAMPLES = `
--check applies our patches to copies of the files they touch, one after the other, and tells
for each whether it applies: cleanly, with an offset, with fuzz (context that differs: look at
the result), in part, or because it is there already. It ends with 1 when one does not.

--export writes a mailbox for git am; the cover letter goes into a file of its own, since git
am stops at a mail without a patch.

Examples:
  p2pdma kernel patch --check linux-6.12
  p2pdma kernel patch --export p2pmem.mbox --cover cover.txt
  cd linux-6.12 && git am ../p2pmem.mbox`;

function patchCommand(): Command {
  return new Command("patch")
    .description("check our kernel patches against a source tree, or export them for git am")
    .option("--check <dir>", "a kernel source tree; it is not changed")
    .option("--export <file>", "write the patches into this mailbox; - prints it")
    .option("--cover <file>", "with --export: write the cover letter into this file")
    .option("--json", "with --check: print one JSON object")
    .addHelpText("after", PATCH_EXAMPLES)
    .action(async (options: PatchOptions) => {
      const { runPatch } = await import("./kernel-patch.ts");
      process.exitCode = await runPatch(processContext, options);
    });
}

const BUILD_EXAMPLES = `
Takes the source package of the distribution (linux-source-6.12, or --archive), applies our
patches, and compiles the lab's kernel: about 7 minutes of CPU time, once. The result is kept
and its path printed. With --deb it makes Debian packages of a whole configuration instead, as
for real hardware; that takes 30 GiB and hours with a distribution's configuration. A build
that was interrupted is taken up where it was.

Examples:
  p2pdma kernel build
  p2pdma kernel build --flavour debug
  p2pdma kernel build --deb packages --config /boot/config-$(uname -r)`;

function buildCommand(): Command {
  return new Command("build")
    .description("build a kernel with our patches from a distribution's source package")
    .addOption(
      new Option("--flavour <name>", "lab, or debug: the same with the kernel's own checks")
        .choices(["lab", "debug"])
        .default("lab"),
    )
    .option("--archive <file>", "build from this source archive (.tar.xz) instead of the package's")
    .option("--deb <dir>", "make Debian packages, and put them into this directory")
    .option("--config <file>", "with --deb: the configuration; what peer-to-peer DMA needs is added")
    .addHelpText("after", BUILD_EXAMPLES)
    .action(async (options: BuildOptions) => {
      const { runBuild } = await import("./kernel-build.ts");
      await runBuild(processContext, options);
    });
}
