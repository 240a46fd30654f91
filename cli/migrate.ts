// SPDX-License-Identifier: MIT
import { Command } from "commander";
import { processContext } from "./context.ts";
import { addOutputOptions, type OutputOptions, permissionOf } from "./copy-options.ts";

interface MigrateOptions extends OutputOptions {
  resume?: boolean;
  restart?: boolean;
  status?: boolean;
  dryRun?: boolean;
  acceptChangedPlan?: boolean;
  journal?: string;
  report: string[];
  allowWrite?: string;
}

const EXAMPLES = `
A plan:
  version: 1
  defaults: { via: p2p, verify: after }
  limits: { jobs: 4, perProvider: all, perDevice: 1, perUplink: 2 }
  pairs:
    - { name: db, from: "serial:S5XA", to: "serial:S5XB" }
    - { name: images, from: "/data/*.img", to: /backup/, after: [db] }

Examples:
  What would it do? Everything that can be known is checked, and nothing is touched:
    p2pdma migrate --dry-run moves.yaml

  Do it, and keep a report for the ticket:
    p2pdma migrate --allow-write --report moves.html --report moves.json moves.yaml

  How far is it? From another terminal:
    p2pdma migrate --status moves.yaml

  Go on after an error, a signal or a power cut; what is done stays done:
    p2pdma migrate --resume --allow-write moves.yaml

Plans follow schemas/migrate-plan.schema.json. The job is kept in moves.p2pjob beside moves.yaml.`;

export function migrateCommand(): Command {
  const command = new Command("migrate")
    .description("run many copies as one job: in order, side by side where nothing is in the way, resumable")
    .argument("<plan>", "the YAML file that says what goes where")
    .option("--resume", "go on with a job: done pairs stay done")
    .option("--restart", "forget the job that was, and begin anew")
    .option("--status", "show how far the job is; does not disturb it")
    .option("--dry-run", "check everything and print the plan; nothing is touched")
    .option("--accept-changed-plan", "with --resume: the plan may have changed since the job began")
    .option("--journal <folder>", "where the job is kept (default: PLAN.p2pjob beside the plan)")
    .option("--report <file>", "write a report when it ends, .json or .html; may be repeated", collect, [])
    .option("--allow-write [devices]", "permit overwriting block devices: any, or these (comma separated)");
  return addOutputOptions(command).addHelpText("after", EXAMPLES).action(run);
}

async function run(plan: string, options: MigrateOptions): Promise<void> {
  const { runMigrate } = await import("./migrate-run.ts");
  const request = {
    planPath: plan,
    folder: options.journal,
    resume: options.resume ?? false,
    restart: options.restart ?? false,
    acceptChangedPlan: options.acceptChangedPlan ?? false,
  };
  await runMigrate(processContext, request, { ...options, permission: permissionOf(options.allowWrite) });
}

function collect(value: string, all: string[]): string[] {
  return [...all, value];
}
