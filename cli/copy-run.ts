// SPDX-License-Identifier: MIT
import { resolve } from "node:path";
import { copy } from "../core/copy/copy.ts";
import { dryRun } from "../core/copy/dry-run.ts";
import { explainCopy } from "../core/copy/explain.ts";
import type { Receipt } from "../core/copy/receipt.ts";
import { hooksOf } from "../core/copy/reporter.ts";
import type { CopyEnvironment, CopyHooks, CopyRequest } from "../core/copy/request.ts";
import { type ResumeRequest, resume } from "../core/copy/resume.ts";
import type { WritePermission } from "../core/copy/safety.ts";
import { StopSwitch } from "../core/copy/stop.ts";
import { verdictOf } from "../core/copy/verdict.ts";
import { ExitCode } from "../core/exit-codes.ts";
import { readJournal } from "../core/journal/journal.ts";
import { SystemFiles } from "../core/sysfs.ts";
import { native } from "../ffi/index.ts";
import type { CliContext } from "./context.ts";
import type { OutputOptions } from "./copy-options.ts";
import { askPermission } from "./copy-permission.ts";
import { type CopyReporter, makeReporter } from "./copy-reporter.ts";
import { renderDryRun } from "./dry-run-text.ts";
import { renderExplanation } from "./explain-text.ts";
import { renderReceipt } from "./receipt-text.ts";
import { exitCodeOf } from "./report-error.ts";

export interface CopyPresentation extends OutputOptions {
  readonly permission: WritePermission;
}

const environment = (): CopyEnvironment => ({ sys: new SystemFiles(), native });

/** Runs a copy for the command line: prompt, progress, signals, receipt. */
export function runCopy(context: CliContext, request: CopyRequest, show: CopyPresentation): Promise<void> {
  return present(context, show, (hooks) => copy(environment(), request, hooks));
}

/** The same for a copy that goes on. */
export async function runResume(
  context: CliContext,
  request: ResumeRequest,
  show: CopyPresentation,
): Promise<void> {
  await present(context, show, async (hooks) => {
    const receipt = await resume(environment(), request, hooks);
    if (receipt) return receipt;
    context.err(`p2pdma: nothing to do: the copy of "${request.journal}" is finished\n`);
    if (show.json) context.out(`${JSON.stringify(readJournal(resolve(request.journal)), null, 2)}\n`);
    return undefined;
  });
}

/** Prints the candidate table instead of copying. */
export function explain(context: CliContext, request: CopyRequest, asJson: boolean): void {
  const explanation = explainCopy(environment(), request);
  context.out(asJson ? `${JSON.stringify(explanation, null, 2)}\n` : renderExplanation(explanation));
}

/** Prints what the copy would do, and ends with the exit code of a refusal where it would be refused. */
export async function planOnly(
  context: CliContext,
  request: CopyRequest,
  show: CopyPresentation,
): Promise<void> {
  const { plan, destinationLines } = await dryRun(environment(), request, show.permission);
  context.out(show.json ? `${JSON.stringify(plan, null, 2)}\n` : renderDryRun(plan, destinationLines));
  if (plan.refusal) process.exitCode = plan.refusal.exitCode;
}

async function present(
  context: CliContext,
  show: CopyPresentation,
  work: (hooks: CopyHooks) => Promise<Receipt | undefined>,
): Promise<void> {
  const reporter = makeReporter(context, show);
  const signals = catchSignals(reporter);
  try {
    const receipt = await work(hooksFor(context, show, reporter, signals.stop));
    const problem = receipt && verdictOf(receipt);
    reporter.end(problem?.exitCode ?? ExitCode.done, problem?.message ?? "done");
    if (receipt && show.json) context.out(`${JSON.stringify(receipt, null, 2)}\n`);
    else if (receipt && !show.quiet) context.out(renderReceipt(receipt));
    if (problem) throw problem;
  } catch (error) {
    reporter.end(exitCodeOf(error), error instanceof Error ? error.message : String(error));
    throw error;
  } finally {
    signals.release();
  }
}

export function hooksFor(
  context: CliContext,
  show: CopyPresentation,
  reporter: CopyReporter,
  stop: StopSwitch,
): CopyHooks {
  return {
    stop,
    permit: (destination) => askPermission(context, environment(), destination, show.permission),
    ...hooksOf(reporter),
  };
}

/** The first SIGINT or SIGTERM lets what is in flight finish, the second starts nothing more. */
export function catchSignals(reporter: CopyReporter) {
  const stop = new StopSwitch();
  const onSignal = (signal: NodeJS.Signals) => {
    const isSecond = stop.mode !== undefined;
    if (!isSecond) reporter.warn(`${signal}: finishing what is in flight (again to abort)`);
    stop.request(isSecond ? "abort" : "drain", signal === "SIGINT" ? "SIGINT" : "SIGTERM");
  };
  // The process could not end before the pump has: it would go on alone, deaf and without a journal.
  const onFault = (error: Error) => {
    reporter.warn(`internal error, stopping: ${error.stack ?? error.message}`);
    stop.request("abort", "SIGTERM");
  };
  // A session that is closed is no reason to lose what was done; and SIGUSR1 would open Node's debugger.
  const ignore = () => {};
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal).on("SIGHUP", onSignal);
  process.on("SIGUSR1", ignore).on("uncaughtException", onFault);
  const release = () => {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal).off("SIGHUP", onSignal);
    process.off("SIGUSR1", ignore).off("uncaughtException", onFault);
  };
  return { stop, release };
}
