// SPDX-License-Identifier: MIT
import { Command } from "commander";
import { processContext } from "./context.ts";
import { fromOption } from "./from-option.ts";
import { COLUMN_NAMES } from "./list-columns.ts";

const EXAMPLES = `
Examples:
  p2pdma list
  p2pdma list --columns namespace,serial,use
  p2pdma list --from server.capture
  p2pdma list --json | jq '.providers[] | {bdf, availableBytes}'

Columns: ${COLUMN_NAMES.join(", ")}`;

export function listCommand(): Command {
  return new Command("list")
    .description("show NVMe controllers, their namespaces, and who offers p2pmem")
    .option("--columns <names>", "what to show of each namespace, comma separated")
    .option("--json", "print one JSON object")
    .addOption(fromOption())
    .addHelpText("after", EXAMPLES)
    .action(async (options: { columns?: string; json?: boolean; from?: string }) => {
      const { inventory, renderInventory } = await import("./list-run.ts");
      const found = inventory(options.from);
      processContext.out(
        options.json ? `${JSON.stringify(found, null, 2)}\n` : renderInventory(found, options.columns),
      );
    });
}
