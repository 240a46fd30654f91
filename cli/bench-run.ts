// SPDX-License-Identifier: MIT
import { readFileSync, writeFileSync } from "node:fs";
import { type BenchDocument, benchDocument } from "../core/bench/document.ts";
import { type FioResult, parseFio } from "../core/bench/fio.ts";
import type { BenchHooks, BenchKind } from "../core/bench/request.ts";
import { runBench } from "../core/bench/run.ts";
import { P2pdmaError } from "../core/errors.ts";
import { ExitCode } from "../core/exit-codes.ts";
import { SystemFiles } from "../core/sysfs.ts";
import { native } from "../ffi/index.ts";
import { renderBenchCsv } from "./bench-csv.ts";
import { renderBenchHtml } from "./bench-html.ts";
import { type BenchOptions, type BenchOutput, checkOutput, parseBench } from "./bench-options.ts";
import { renderBench } from "./bench-text.ts";
import { type CaughtSignals, catchSignals } from "./cmb-signals.ts";
import type { CliContext } from "./context.ts";
import { permissionOf } from "./copy-options.ts";
import { askPermission } from "./copy-permission.ts";
import { glyphsFor } from "./topo-run.ts";
import { UNICODE } from "./topo-tree.ts";

/** `bench read`, `bench write` and `bench copy` */
export async function runBenchCommand(
  context: CliContext,
  kind: BenchKind,
  source: string | undefined,
  destination: string | undefined,
  options: BenchOptions,
): Promise<void> {
  checkOutput(options);
  const request = parseBench(kind, source, destination, options);
  const fio = options.fioJson === undefined ? [] : readFio(options.fioJson);
  const env = { sys: new SystemFiles(), native };
  const permission = permissionOf(options.allowWrite);
  const document = await withHooks(context, options, async (hooks) => {
    const permit: BenchHooks["permit"] = (end) => askPermission(context, env, end, permission);
    return benchDocument(await runBench(env, request, { ...hooks, permit }), fio);
  });
  show(context, options, {
    ...{ json: document, csv: () => renderBenchCsv(document), html: () => renderBenchHtml(document) },
    text: () => renderBench(document, hasUnicode()),
  });
  judge(document);
}

export function hasUnicode(): boolean {
  return glyphsFor(process.env) === UNICODE;
}

/** Signals and a line of progress around a measurement. */
export async function withHooks<T>(
  context: CliContext,
  { quiet }: BenchOutput,
  work: (hooks: Omit<BenchHooks, "permit">) => Promise<T>,
): Promise<T> {
  const signals: CaughtSignals = catchSignals();
  const isShown = context.stderrIsTerminal && !quiet;
  const clear = () => isShown && context.err("\r\u001b[K");
  try {
    return await work({
      abort: signals.abort,
      warn: (text) => context.err(`p2pdma: ${text}\n`),
      onStep: (done, all, what) => isShown && context.err(`\r\u001b[K${done + 1} of ${all}: ${what}`),
    });
  } catch (error) {
    throw signals.translate(error);
  } finally {
    clear();
    signals.release();
  }
}

/** A result in all its forms; those that are not asked for are not made. */
export interface Forms {
  readonly json: object;
  readonly csv: () => string;
  readonly html: () => string;
  readonly text: () => string;
}

export function show(context: CliContext, { json, csv, html, quiet }: BenchOutput, forms: Forms): void {
  if (html !== undefined) writeInto(html, forms.html());
  if (json) context.out(`${JSON.stringify(forms.json, null, 2)}\n`);
  else if (csv) context.out(forms.csv());
  else if (!quiet) context.out(forms.text());
}

function writeInto(file: string, content: string): void {
  try {
    writeFileSync(file, content);
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new P2pdmaError("NOT_FOUND", ExitCode.failed, `Cannot write "${file}": ${reason}`, { cause });
  }
}

function readFio(file: string): FioResult[] {
  try {
    return parseFio(readFileSync(file, "utf8"), file);
  } catch (cause) {
    if (cause instanceof P2pdmaError) throw cause;
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new P2pdmaError("NOT_FOUND", ExitCode.failed, `Cannot read "${file}": ${reason}`, { cause });
  }
}

/** Requests that failed make a measurement worthless; too little memory for a point only leaves it out. */
function judge({ points }: BenchDocument): void {
  const bad = points.find(({ problem, repeats }) => problem !== null && repeats.length > 0);
  if (!bad) return;
  const where = `${bad.way}, chunk ${bad.chunkBytes}, depth ${bad.depth}`;
  throw new P2pdmaError("COPY_FAILED", ExitCode.failed, `Requests failed (${where}): ${bad.problem}`, {
    hint: "dmesg tells more",
  });
}
