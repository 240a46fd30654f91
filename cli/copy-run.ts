// SPDX-License-Identifier: MIT
import { type CopyRequest, copy } from "../core/copy/copy.ts";
import type { Endpoint } from "../core/copy/endpoint.ts";
import type { EngineRun } from "../core/copy/engine.ts";
import { explainCopy } from "../core/copy/explain.ts";
import type { Route } from "../core/copy/route.ts";
import { describeDevice, mayWrite, noPermission, type WritePermission } from "../core/copy/safety.ts";
import { P2pdmaError } from "../core/errors.ts";
import { ExitCode } from "../core/exit-codes.ts";
import { SystemFiles } from "../core/sysfs.ts";
import { formatBytes } from "../core/units.ts";
import { native } from "../ffi/index.ts";
import type { CliContext } from "./context.ts";
import { renderExplanation } from "./explain-text.ts";
import { makeProgress } from "./progress.ts";
import { renderReceipt } from "./receipt-text.ts";

export interface CopyPresentation {
  readonly permission: WritePermission;
  readonly output: "text" | "json" | "none";
  readonly showProgress: boolean;
}

/** Runs a copy for the command line: prompt, progress, signals, receipt. */
export async function runCopy(
  context: CliContext,
  request: CopyRequest,
  presentation: CopyPresentation,
): Promise<void> {
  const progress = makeProgress(context, presentation.showProgress);
  const signals = catchSignals(context);
  try {
    const receipt = await copy({ sys: new SystemFiles(), native }, request, {
      permit: (destination) => askPermission(context, destination, presentation.permission),
      onRoute: (route, range) => {
        announce(context, route);
        progress.start(range.lengthBytes);
      },
      onProgress: (state) => progress.update(state.bytesWritten),
      onVerify: () => progress.note("verifying: reading both sides back through RAM"),
      onStart: signals.watch,
    });
    progress.stop();
    if (presentation.output === "json") context.out(`${JSON.stringify(receipt, null, 2)}\n`);
    if (presentation.output === "text") context.out(renderReceipt(receipt));
    if (receipt.verification && !receipt.verification.equal) throw differing(request);
  } catch (error) {
    progress.stop();
    throw signals.translate(error);
  } finally {
    signals.release();
  }
}

/** Prints the candidate table instead of copying. */
export function explain(context: CliContext, request: CopyRequest, asJson: boolean): void {
  const explanation = explainCopy({ sys: new SystemFiles(), native }, request);
  context.out(asJson ? `${JSON.stringify(explanation, null, 2)}\n` : renderExplanation(explanation));
}

/** The Deno way: a flag names the device, or a person at a terminal says yes. */
async function askPermission(
  context: CliContext,
  destination: Endpoint,
  permission: WritePermission,
): Promise<void> {
  if (mayWrite(destination, permission)) return;
  if (!context.canAsk) throw noPermission(destination);
  const what = `${destination.path} (${describeDevice(destination)}, ${formatBytes(destination.sizeBytes)})`;
  const answer = await context.ask(`p2pdma: overwrite ${what}? [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim())) throw noPermission(destination);
}

/** What was rejected matters when the copy ends up in RAM without having been told to. */
function announce(context: CliContext, route: Route): void {
  if (route.via === "p2p" || route.rejected.length === 0) return;
  context.err("p2pdma: copying through system RAM, because peer-to-peer is not possible:\n");
  for (const reason of new Set(route.rejected)) context.err(`  ${reason}\n`);
}

function differing(request: CopyRequest): P2pdmaError {
  return new P2pdmaError(
    "DATA_DIFFER",
    ExitCode.dataDiffer,
    `"${request.destination}" differs from "${request.source}" after the copy`,
  );
}

/** The first SIGINT or SIGTERM lets what is in flight finish, the second starts nothing more. */
function catchSignals(context: CliContext) {
  let engine: EngineRun | undefined;
  let caught: NodeJS.Signals | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    engine?.cancel(caught ? "abort" : "drain");
    if (!caught) context.err(`\np2pdma: ${signal}: finishing what is in flight (again to abort)\n`);
    caught = signal;
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  return {
    watch: (run: EngineRun) => {
      engine = run;
      if (caught) run.cancel("drain");
    },
    translate: (error: unknown) => {
      if (!(error instanceof P2pdmaError) || error.code !== "INTERRUPTED" || caught !== "SIGTERM")
        return error;
      return new P2pdmaError("INTERRUPTED", ExitCode.terminated, error.message);
    },
    release: () => void process.off("SIGINT", onSignal).off("SIGTERM", onSignal),
  };
}
