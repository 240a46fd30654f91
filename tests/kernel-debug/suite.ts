// SPDX-License-Identifier: MIT
import type { LabSession } from "../../lab/run.ts";
import { follow } from "./guest.ts";
import { type Provider, plugCard, pullCard } from "./machine.ts";

const TIMEOUT_MS = 1_800_000;

/** One program of kernel-series/selftest, on one provider. */
export interface Suite {
  readonly program: string;
  readonly options: readonly string[];
  readonly provider: Provider;
  /** Part of the names of the tests to run; default: all. */
  readonly only?: string;
}

export interface SuiteResult {
  readonly name: string;
  readonly passed: number;
  readonly skipped: number;
  /** What went wrong, one line each; empty when all is well. */
  readonly problems: readonly string[];
  readonly seconds: number;
}

export function suiteName({ program, options, provider }: Suite): string {
  const name = [program, ...options.filter((option) => option === "-w")].join(" ");
  return `${name}, ${provider.name}`;
}

/** Runs it in the guest, pulling and plugging the card when the program asks for it. */
export async function runSuite(
  lab: LabSession,
  folder: string,
  suite: Suite,
  print: (line: string) => void,
): Promise<SuiteResult> {
  const { program, options, provider, only } = suite;
  const start = performance.now();
  const lines: string[] = [];
  const troubles: string[] = [];
  const moveCard = (move: typeof plugCard) =>
    void move(lab, provider.card).catch((error: Error) => troubles.push(error.message));
  const onLine = (line: string) => {
    lines.push(line);
    print(line);
    if (line === "# pull it now") moveCard(pullCard);
    if (line === "# plug it in now") moveCard(plugCard);
  };
  const env = only === undefined ? [] : [`P2PMEM_ONLY='${only}'`];
  const words = [...env, `${folder}/${program}`, ...options, provider.file, `${provider.folder}/p2pmem`];
  const exitCode = await follow(lab, words.join(" "), onLine, TIMEOUT_MS).catch((error: Error) => {
    troubles.push(error.message);
    return 1;
  });
  const seconds = Math.round((performance.now() - start) / 1000);
  return { name: suiteName(suite), ...judge(lines, exitCode, troubles), seconds };
}

/** Holds a TAP report against its own plan. */
export function judge(
  lines: readonly string[],
  exitCode: number,
  troubles: readonly string[] = [],
): Pick<SuiteResult, "passed" | "skipped" | "problems"> {
  const planned = Number(/^1\.\.(\d+)$/m.exec(lines.join("\n"))?.[1] ?? NaN);
  const results = lines.filter((line) => /^(?:not )?ok \d+ /.test(line));
  const skipped = results.filter((line) => line.startsWith("ok") && line.includes("# SKIP")).length;
  const problems = [...troubles, ...lines.filter((line) => /^(?:not ok|Bail out!)|failed: /.test(line))];
  if (results.length !== planned) problems.push(`${results.length} of ${planned} tests were run`);
  if (exitCode !== 0 && problems.length === 0) problems.push(`exit code ${exitCode}`);
  const failed = results.filter((line) => line.startsWith("not ok")).length;
  return { passed: results.length - failed - skipped, skipped, problems };
}
