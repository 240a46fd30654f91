// SPDX-License-Identifier: MIT
import { Command } from "commander";
import { processContext } from "./context.ts";

const EXAMPLES = `
What it holds: PCI topology and config space, NVMe controllers and namespaces, block
devices and what is stacked on them, the kernel's release and the options that matter.
No data of any drive, and unless --with-serials is given no serial numbers, WWIDs, NQNs,
host or volume names either: hashes stand for them, equal ones for equal names.

Examples:
  sudo p2pdma capture -o machine.json
  sudo p2pdma capture > machine.json
  p2pdma topo --from machine.json`;

export interface CaptureFlags {
  readonly output?: string;
  readonly withSerials?: boolean;
}

export function captureCommand(): Command {
  return new Command("capture")
    .description("save what this machine looks like, to be looked at elsewhere with --from")
    .option("-o, --output <file>", "write there instead of to stdout; must not exist")
    .option("--with-serials", "keep serial numbers and names instead of hashes")
    .addHelpText("after", EXAMPLES)
    .action(async (flags: CaptureFlags) => {
      const { runCapture } = await import("./capture-run.ts");
      runCapture(processContext, flags);
    });
}
