// SPDX-License-Identifier: MIT
import type { CopyRequest } from "../core/copy/request.ts";
import { type VerifyReport, verifyOnly } from "../core/copy/verify-run.ts";
import { P2pdmaError } from "../core/errors.ts";
import { ExitCode } from "../core/exit-codes.ts";
import { SystemFiles } from "../core/sysfs.ts";
import { formatBytes } from "../core/units.ts";
import { native } from "../ffi/index.ts";
import type { CliContext } from "./context.ts";
import type { OutputOptions } from "./copy-options.ts";
import { makeReporter } from "./copy-reporter.ts";
import { catchSignals, hooksFor } from "./copy-run.ts";
import { firstOf, renderRows } from "./receipt-text.ts";
import { exitCodeOf } from "./report-error.ts";

/** Runs a comparison for the command line. */
export async function runVerify(
  context: CliContext,
  request: CopyRequest,
  show: OutputOptions,
): Promise<void> {
  const reporter = makeReporter(context, show, false);
  const signals = catchSignals(reporter);
  try {
    const hooks = hooksFor(context, { ...show, permission: [] }, reporter, signals.stop);
    const report = await verifyOnly({ sys: new SystemFiles(), native }, request, hooks);
    const difference = report.verification.equal ? undefined : differing(report);
    reporter.end(difference?.exitCode ?? ExitCode.done, difference?.message ?? "equal");
    if (show.json) context.out(`${JSON.stringify(report, null, 2)}\n`);
    else if (!show.quiet) context.out(renderVerification(report));
    if (difference) throw difference;
  } catch (error) {
    reporter.end(exitCodeOf(error), error instanceof Error ? error.message : String(error));
    throw error;
  } finally {
    signals.release();
  }
}

function differing({ source, destination, verification }: VerifyReport): P2pdmaError {
  const [first] = verification.differing;
  const where = first ? `, first at byte ${first.dstOffset} (${first.lengthBytes} bytes)` : "";
  const what = `"${destination.path}" differs from "${source.path}"${where}`;
  return new P2pdmaError("DATA_DIFFER", ExitCode.dataDiffer, what);
}

function renderVerification({ lengthBytes, provider, elapsedMs, verification }: VerifyReport): string {
  const { method, equal, reason, throughRamBytes, sourceDigest, destinationDigest } = verification;
  const rate = formatBytes(Math.round((Number(lengthBytes) / Math.max(1, elapsedMs)) * 1000));
  return renderRows([
    ["compared", `${lengthBytes} bytes in ${(elapsedMs / 1000).toFixed(2)} s, ${rate}/s`],
    ["by", method === "NVMe Compare" ? "the drive itself (NVMe Compare)" : `${method} of both sides`],
    ...(reason ? [["", `not by the drive: ${reason}`] as const] : []),
    ["memory", provider ? `p2pmem of ${provider}` : "system RAM"],
    ["through RAM", `${throughRamBytes} bytes`],
    ["result", equal ? "equal" : "DIFFERENT"],
    ...(sourceDigest
      ? ([
          ["source", sourceDigest],
          ["destination", destinationDigest ?? ""],
        ] as const)
      : []),
    ...firstOf(verification.differing.map((one) => `${one.lengthBytes} bytes at ${one.dstOffset} differ`)),
  ]);
}
