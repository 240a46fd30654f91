// SPDX-License-Identifier: MIT
import { writeFileSync } from "node:fs";
import { describeDestination } from "../core/copy/destination-report.ts";
import type { Endpoint } from "../core/copy/endpoint.ts";
import type { CopyEnvironment } from "../core/copy/request.ts";
import { describeDevice, mayWrite, OVERWRITE_KINDS, type WritePermission } from "../core/copy/safety.ts";
import { refused, usageError } from "../core/errors.ts";
import { ExitCode } from "../core/exit-codes.ts";
import { existing, folderOf, type JobRequest, prepareJob, previewJob } from "../core/migrate/prepare-job.ts";
import { type MigrateReport, makeReport } from "../core/migrate/report.ts";

import { JobRun } from "../core/migrate/run.ts";
import { SystemFiles } from "../core/sysfs.ts";
import { native } from "../ffi/index.ts";
import type { CliContext } from "./context.ts";
import type { OutputOptions } from "./copy-options.ts";
import { renderReportHtml } from "./migrate-html.ts";
import { makeMigrateReporter } from "./migrate-progress.ts";
import { previewJson, renderPreview, renderStatus } from "./migrate-text.ts";
import { ownCommand } from "./own-command.ts";

export interface MigratePresentation extends OutputOptions {
  readonly permission: WritePermission;
  readonly status?: boolean;
  readonly dryRun?: boolean;
  readonly report: readonly string[];
}

const environment = (): CopyEnvironment => ({ sys: new SystemFiles(), native });

export async function runMigrate(
  context: CliContext,
  request: JobRequest,
  show: MigratePresentation,
): Promise<void> {
  checkOptions(request, show);
  if (show.status) return showStatus(context, request, show);
  if (show.dryRun) return preview(context, request, show);
  const env = environment();
  const reporter = makeMigrateReporter(context, show);
  const permit = (destinations: readonly Endpoint[]) =>
    askForAll(context, env, destinations, show.permission);
  const { plan, pairs, store, lock } = await prepareJob(env, request, permit, reporter.note);
  const run = new JobRun({
    ...{ sys: env.sys, store, hooks: plan.hooks, limits: plan.limits, pairs },
    command: ownCommand(),
    listener: reporter,
  });
  const signals = catchSignals(run, reporter.note);
  try {
    reporter.start(store.job);
    const exitCode = await run.run();
    reporter.stop(exitCode);
    process.exitCode = exitCode;
  } finally {
    reporter.stop(ExitCode.failed);
    signals.release();
    lock.release();
    const report = makeReport(env.sys, store.folder, store.job);
    writeReports(report, show.report);
    print(context, report, show);
  }
}

function checkOptions(request: JobRequest, show: MigratePresentation): void {
  if (request.resume && request.restart) throw usageError("--resume and --restart exclude each other");
  if (request.acceptChangedPlan && !request.resume)
    throw usageError("--accept-changed-plan goes with --resume");
  for (const file of show.report) {
    if (!/\.(json|html?)$/i.test(file))
      throw usageError(`--report: "${file}" ends in neither .json nor .html`);
  }
}

function showStatus(context: CliContext, request: JobRequest, show: MigratePresentation): void {
  const folder = folderOf(request);
  const report = makeReport(new SystemFiles(), folder, existing(folder));
  writeReports(report, show.report);
  print(context, report, show);
}

async function preview(context: CliContext, request: JobRequest, show: MigratePresentation): Promise<void> {
  const env = environment();
  const pairs = await previewJob(env, request);
  const isPermitted = (dst: Endpoint) => mayWrite(env.sys, dst, show.permission);
  context.out(
    show.json
      ? `${JSON.stringify(previewJson(pairs, isPermitted), null, 2)}\n`
      : renderPreview(pairs, isPermitted),
  );
}

function print(context: CliContext, report: MigrateReport, { json, quiet }: OutputOptions): void {
  if (json) context.out(`${JSON.stringify(report, null, 2)}\n`);
  else if (!quiet) context.out(renderStatus(report));
}

function writeReports(report: MigrateReport, files: readonly string[]): void {
  for (const file of files) {
    const isHtml = /\.html?$/i.test(file);
    writeFileSync(file, isHtml ? renderReportHtml(report) : `${JSON.stringify(report, null, 2)}\n`);
  }
}

/** One question for all of them: nobody sits through forty. */
async function askForAll(
  context: CliContext,
  env: CopyEnvironment,
  destinations: readonly Endpoint[],
  permission: WritePermission,
): Promise<void> {
  const open = new Map(
    destinations.filter((dst) => !mayWrite(env.sys, dst, permission)).map((dst) => [dst.path, dst]),
  );
  if (open.size === 0) return;
  const names = [...open.values()].map((dst) => `"${dst.path}" (${describeDevice(dst)})`);
  const denied = refused("NO_PERMISSION", `Cannot write to ${names.join(", ")}: not permitted`, {
    hint: `to overwrite, add --allow-write=${[...open.keys()].join(",")}`,
  });
  if (!context.canAsk) throw denied;
  const facts = [...open.values()].flatMap((dst) => {
    const { lines } = describeDestination(env, dst, OVERWRITE_KINDS, "all");
    return lines.map((line) => `  ${line}\n`);
  });
  const answer = await context.ask(`p2pdma: this would overwrite\n${facts.join("")}Overwrite them? [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim())) throw denied;
}

/** The first signal lets running copies drain, the second aborts them. A terminal that goes away is one, too. */
function catchSignals(run: JobRun, note: (text: string) => void) {
  let isSecond = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (!isSecond) note(`${signal}: letting what is in flight finish (again to abort)`);
    isSecond = true;
    run.interrupt(signal === "SIGINT" ? "SIGINT" : "SIGTERM");
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return {
    release: () => {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}
