// SPDX-License-Identifier: MIT
import { checks } from "../core/doctor/checks/index.ts";
import { examine } from "../core/doctor/examine.ts";
import { type Facts, type Question, readFacts } from "../core/doctor/facts.ts";
import { thisMachine } from "../core/doctor/here.ts";
import { type Probe, planProbes } from "../core/doctor/probe.ts";
import { makeProbes } from "../core/doctor/probe-child.ts";
import { runProbes } from "../core/doctor/probe-run.ts";
import { usageError } from "../core/errors.ts";
import { ExitCode } from "../core/exit-codes.ts";
import { SystemFiles } from "../core/sysfs.ts";
import { native } from "../ffi/index.ts";
import type { CliContext } from "./context.ts";
import { examinationJson } from "./doctor-json.ts";
import { renderChecks, renderExamination } from "./doctor-text.ts";
import { viewFrom } from "./from-option.ts";
import { ownCommand } from "./own-command.ts";

export interface DoctorOptions {
  readonly probe?: boolean;
  readonly timeout: string;
  readonly verbose?: boolean;
  readonly list?: boolean;
  readonly json?: boolean;
  readonly from?: string;
  /** Set by ourselves: this process is the one that may hang. */
  readonly probeChild?: string;
}

export interface DoctorEnds {
  readonly source: string | undefined;
  readonly destination: string | undefined;
}

/** Answers the exit code. @throws P2pdmaError USAGE */
export async function runDoctor(
  context: CliContext,
  ends: DoctorEnds,
  options: DoctorOptions,
): Promise<ExitCode> {
  if (options.probeChild !== undefined) return runProbeChild(context, options.probeChild);
  if (options.list) {
    context.out(renderChecks(checks));
    return ExitCode.done;
  }
  const question = questionOf(ends);
  if (options.probe && options.from !== undefined) {
    throw usageError("--probe tries this machine, and --from is about another one");
  }
  const here = options.from === undefined ? thisMachine(native) : undefined;
  const facts = readFacts(viewFrom(options.from), here, question);
  const probes = options.probe ? await tryAll(facts, options.timeout) : undefined;
  const examination = examine({ ...facts, probes });
  const text = options.json
    ? `${JSON.stringify(examinationJson(examination), null, 2)}\n`
    : renderExamination(examination, options.verbose ?? false);
  context.out(text);
  return examination.exitCode;
}

function questionOf({ source, destination }: DoctorEnds): Question | undefined {
  if (source === undefined) return undefined;
  if (destination === undefined) {
    throw usageError(
      `doctor: "${source}" needs another device to be judged with`,
      "p2pdma doctor nvme0 nvme1",
    );
  }
  return { source, destination };
}

function tryAll(facts: Omit<Facts, "probes">, timeout: string) {
  if (!/^\d{1,6}$/.test(timeout) || Number(timeout) === 0) {
    throw usageError(`--timeout: "${timeout}" is no number of seconds`);
  }
  const command = [...ownCommand(), "doctor", "--probe-child"];
  return runProbes(command, planProbes(facts), Number(timeout) * 1000);
}

function runProbeChild(context: CliContext, probes: string): ExitCode {
  makeProbes(new SystemFiles(), native, JSON.parse(probes) as Probe[], (message) =>
    context.out(`${JSON.stringify(message)}\n`),
  );
  return ExitCode.done;
}
