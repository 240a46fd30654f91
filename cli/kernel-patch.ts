// SPDX-License-Identifier: MIT
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { usageError } from "../core/errors.ts";
import { ExitCode } from "../core/exit-codes.ts";
import { openSourceTree } from "../core/kernel/index.ts";
import { exportCover, exportMailbox } from "../kernel-series/mailbox.ts";
import { checkPatches, type PatchResult, type PatchVerdict } from "../kernel-series/patch-check.ts";
import type { CliContext } from "./context.ts";
import { plainTable } from "./table.ts";

export interface PatchOptions {
  readonly check?: string;
  readonly export?: string;
  readonly cover?: string;
  readonly json?: boolean;
}

/** Answers the exit code: 1 when a patch does not apply. @throws P2pdmaError USAGE */
export function runPatch(context: CliContext, options: PatchOptions): ExitCode {
  const { check, export: mailbox, cover, json } = options;
  if (mailbox === undefined && cover !== undefined) throw usageError("--cover belongs to --export");
  if (check === undefined && mailbox === undefined) {
    throw usageError("kernel patch: there is nothing to do", "give --check DIR or --export FILE");
  }
  if (mailbox !== undefined) write(context, mailbox, exportMailbox());
  if (cover !== undefined) write(context, cover, exportCover());
  if (check === undefined) return ExitCode.done;

  const tree = openSourceTree(check);
  const results = checkPatches(resolve(check));
  const version = tree.version() ?? null;
  if (json) {
    const document = { schema: "p2pdma.kernel-patch/1", tree: resolve(check), version, patches: results };
    context.out(`${JSON.stringify(document, null, 2)}\n`);
  } else {
    context.out(renderCheck(results));
  }
  return results.some(({ verdict }) => verdict === "fails") ? ExitCode.failed : ExitCode.done;
}

function write(context: CliContext, path: string, text: string): void {
  try {
    if (path === "-") context.out(text);
    else writeFileSync(path, text);
  } catch (cause) {
    throw usageError(`Cannot write "${path}": ${(cause as NodeJS.ErrnoException).code}`);
  }
}

const VERDICTS: Readonly<Record<PatchVerdict, string>> = {
  clean: "applies",
  offset: "applies, elsewhere",
  fuzz: "applies with fuzz",
  "applied-already": "is there already",
  fails: "FAILS",
};

export function renderCheck(results: readonly PatchResult[]): string {
  const rows = results.map(({ subject, verdict, offset, fuzz }, index) => [
    ...[String(index + 1), VERDICTS[verdict], String(offset), String(fuzz), subject],
  ]);
  const problems = results.flatMap(({ name, problems }) => problems.map((text) => `${name}: ${text}\n`));
  return [plainTable(["NR", "VERDICT", "OFFSET", "FUZZ", "PATCH"], rows), ...problems].join("");
}
