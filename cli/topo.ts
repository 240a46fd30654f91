// SPDX-License-Identifier: MIT
import { Command } from "commander";
import { processContext } from "./context.ts";
import { fromOption } from "./from-option.ts";
import type { TopoOptions } from "./topo-run.ts";

const EXAMPLES = `
With SOURCE and DESTINATION (nvme0, nvme0n1, /dev/nvme0n1 or a PCI address) the verdict on
that pair is explained hop by hop for every device that could lend the memory, with what
would change it. It ends with 0 when the kernel should allow peer-to-peer through one of
them, with 3 when it should not, and with 1 when that depends on ACS bits only root can read.

Everything is predicted from PCI config space and the kernel's rules: nothing is transferred.

Examples:
  p2pdma topo
  p2pdma topo nvme0 nvme1
  p2pdma topo --from machine.json --svg machine.svg
  p2pdma topo --kernel 5.15 --json | jq '.pairs[] | {provider, client, mapType, distance}'
  p2pdma topo --dot | dot -Tpdf > machine.pdf`;

export function topoCommand(): Command {
  return new Command("topo")
    .description("show the PCI tree, who reaches whose memory, and why")
    .argument("[source]", "explain one pair: where a copy would read")
    .argument("[destination]", "and where it would write")
    .option("--all", "show every function, and count network, display and accelerator functions as clients")
    .option("--kernel <version>", "predict for this kernel, for example 6.17 (default: the running one)")
    .option("--json", "print one JSON object")
    .option("--dot", "print a graph for graphviz")
    .option("--svg <file>", "draw a picture into this file; - prints it")
    .addOption(fromOption())
    .addHelpText("after", EXAMPLES)
    .action(async (source: string | undefined, destination: string | undefined, options: TopoOptions) => {
      const { runTopo } = await import("./topo-run.ts");
      process.exitCode = await runTopo(processContext, { source, destination }, options);
    });
}
