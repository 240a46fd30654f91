// SPDX-License-Identifier: MIT
import { Command } from "commander";
import { processContext } from "./context.ts";
import {
  addOutputOptions,
  addTuningOptions,
  parseTuning,
  permissionOf,
  type TuningOptions,
} from "./copy-options.ts";

interface ResumeOptions extends TuningOptions {
  changedSource?: boolean;
}

const EXAMPLES = `
Examples:
  Go on with a copy that was interrupted; the drives are found by their identity, whatever their names are now:
    p2pdma resume --allow-write=/dev/nvme1n1 ~/.local/state/p2pdma/journals/nvme0n1--nvme1n1-0a1b2c3d4e5f.journal

  Go on in the quiet hours, slowly:
    p2pdma resume --rate 200M --stop-after 6h --allow-write move.journal

Options that are not given stay what they were. A finished journal is a record: resume says so and ends with 0.`;

export function resumeCommand(): Command {
  const command = new Command("resume")
    .description("go on with a copy that stopped: only what its journal does not claim is moved")
    .argument("<journal>", "the file that the copy named")
    .option("--changed-source", "go on although the source was modified since");
  return addOutputOptions(addTuningOptions(command)).addHelpText("after", EXAMPLES).action(run);
}

async function run(journal: string, options: ResumeOptions): Promise<void> {
  const { runResume } = await import("./copy-run.ts");
  const request = {
    journal,
    acceptChangedSource: options.changedSource ?? false,
    override: parseTuning(options),
  };
  await runResume(processContext, request, { ...options, permission: permissionOf(options.allowWrite) });
}
