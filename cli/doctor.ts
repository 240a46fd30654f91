// SPDX-License-Identifier: MIT
import { Command, Option } from "commander";
import { processContext } from "./context.ts";
import type { DoctorOptions } from "./doctor-run.ts";
import { fromOption } from "./from-option.ts";

const EXAMPLES = `
Without SOURCE and DESTINATION the whole machine is judged: kernel, drives, who lends memory,
who reaches it. With them (nvme0, /dev/nvme0n1, a partition, a file, a directory, or a PCI
address) also that pair: the way between them, what is stacked on the drives, direct I/O.

Each line is one precondition: pass, warn (works, or concerns others only), FAIL (peer-to-peer
is not possible) or ???? (it matters, and could not be seen), with the reason and the fix.
Nothing is changed, and nothing written. With --probe every drive also reads one block of its
medium into every provider's memory; the kernel then keeps its verdict on each of these pairs
until the provider's driver is bound anew.

It ends with 0 when peer-to-peer is possible, with 3 when it is not, and with 1 when that
depends on what could not be seen: run it as root then.

Examples:
  sudo p2pdma doctor                          what keeps this machine from it?
  sudo p2pdma doctor nvme0 nvme1              and these two drives?
  sudo p2pdma doctor --probe /dev/nvme0n1 /mnt/backup
  p2pdma doctor -v --from machine.json        a machine that is not here (see p2pdma capture)
  p2pdma doctor --json | jq -r '.checks[] | select(.status == "fail") | .id'
  p2pdma doctor --list | grep -B1 EREMOTEIO   what can be behind an errno?`;

const DEFAULT_TIMEOUT_SECONDS = "10";

export function doctorCommand(): Command {
  return new Command("doctor")
    .description("find out what keeps peer-to-peer DMA from working, and how to mend it")
    .argument("[source]", "judge one pair: what a copy would read")
    .argument("[destination]", "and what it would write")
    .option("--probe", "try it: one small direct read by each drive into each provider's memory")
    .option("--timeout <seconds>", "with --probe: when a transfer counts as hanging", DEFAULT_TIMEOUT_SECONDS)
    .option("-v, --verbose", "show what has passed, too")
    .option("--list", "list the checks, and what one sees when they fail")
    .option("--json", "print one JSON object")
    .addOption(fromOption())
    .addOption(new Option("--probe-child <probes>").hideHelp())
    .addHelpText("after", EXAMPLES)
    .action(async (source: string | undefined, destination: string | undefined, options: DoctorOptions) => {
      const { runDoctor } = await import("./doctor-run.ts");
      process.exitCode = await runDoctor(processContext, { source, destination }, options);
    });
}
