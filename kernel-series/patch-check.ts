// SPDX-License-Identifier: MIT
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { KernelBuildError } from "./errors.ts";
import { seriesFolder } from "./folders.ts";
import { patchNames } from "./inputs.ts";

/** fuzz: applied, but some context differs, so somebody has to look at it. */
export type PatchVerdict = "clean" | "offset" | "fuzz" | "applied-already" | "fails";

export interface PatchResult {
  /** Its file. */
  readonly name: string;
  readonly subject: string;
  readonly verdict: PatchVerdict;
  /** Largest distance in lines between where a hunk should be and where it was. */
  readonly offset: number;
  /** Largest number of context lines that had to be ignored at the ends of a hunk. */
  readonly fuzz: number;
  /** What does not fit, one entry a hunk or file, in the words of patch(1). */
  readonly problems: readonly string[];
}

/**
 * Applies the series to copies of the files it touches; the tree stays as it is. After a patch that fails,
 * the others are tried on what has become of the files, and may fail for that reason alone.
 */
export function checkPatches(tree: string, series = seriesFolder()): PatchResult[] {
  const names = patchNames(series);
  const texts = names.map((name) => readFileSync(join(series, "patches", name), "utf8"));
  const scratch = mkdtempSync(join(tmpdir(), "p2pdma-patch-"));
  try {
    for (const path of new Set(texts.flatMap(touchedFiles))) copyInto(scratch, tree, path);
    const applied = takeOff(scratch, texts);
    return names.map((name, index) => checkOne(scratch, name, texts[index] ?? "", applied.has(index)));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

export function touchedFiles(patch: string): string[] {
  return [...patch.matchAll(/^diff --git a\/(\S+)/gm)].map(([, path]) => path ?? "");
}

/** `[PATCH 2/4] ` and folded lines taken out. */
export function subjectOf(patch: string): string {
  const [, subject = ""] = /^Subject: (.*(?:\n[ \t].*)*)/m.exec(patch) ?? [];
  return subject.replace(/\n\s*/g, " ").replace(/^\[PATCH[^\]]*\] /, "");
}

/** What a link leads to is what counts; patch(1) would refuse the link. What is no file is not there. */
function copyInto(scratch: string, tree: string, path: string): void {
  const copy = join(scratch, path);
  mkdirSync(dirname(copy), { recursive: true });
  try {
    writeFileSync(copy, readFileSync(join(tree, path)));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR" || code === "ELOOP") return;
    throw new KernelBuildError(`Cannot read "${join(tree, path)}": ${code}`, { cause });
  }
}

/** Takes off what the tree has of the series already, last patch first, and answers which that is. */
function takeOff(scratch: string, patches: readonly string[]): Set<number> {
  const applied = new Set<number>();
  for (const [index, patch] of [...patches.entries()].reverse()) {
    // --forward: do not ask whether the patch may be meant the other way round.
    const backwards = ["--reverse", "--forward"];
    if (runPatch(scratch, patch, [...backwards, "--dry-run"]).status !== 0) continue;
    runPatch(scratch, patch, backwards);
    applied.add(index);
  }
  return applied;
}

function checkOne(scratch: string, name: string, patch: string, isApplied: boolean): PatchResult {
  const subject = subjectOf(patch);
  const { status, output } = runPatch(scratch, patch, ["--forward"]);
  if (isApplied && status === 0) {
    return { name, subject, verdict: "applied-already", offset: 0, fuzz: 0, problems: [] };
  }
  const [offset, fuzz] = [largest(output, /offset -?(\d+) lines?/g), largest(output, /with fuzz (\d+)/g)];
  const problems = status === 0 ? [] : problemsIn(output);
  const verdict = status !== 0 ? "fails" : fuzz > 0 ? "fuzz" : offset > 0 ? "offset" : "clean";
  return { name, subject, verdict, offset, fuzz, problems };
}

function runPatch(cwd: string, input: string, flags: readonly string[]): { status: number; output: string } {
  const args = ["-p1", "--batch", "--no-backup-if-mismatch", "--reject-file=-", ...flags];
  const env = { ...process.env, LC_ALL: "C" };
  const { status, stdout, error } = spawnSync("patch", args, { cwd, input, env, encoding: "utf8" });
  if (error) {
    throw new KernelBuildError("Cannot run patch(1)", { hint: "apt-get install patch", cause: error });
  }
  return { status: status ?? 1, output: stdout };
}

function largest(output: string, pattern: RegExp): number {
  return Math.max(0, ...[...output.matchAll(pattern)].map(([, number]) => Number(number)));
}

/** Hunks that failed, with their file, and files that are not there. */
function problemsIn(output: string): string[] {
  const problems: string[] = [];
  let [file, absent] = ["", ""];
  for (const line of output.split("\n")) {
    file = /^patching file '?([^']+)'?/.exec(line)?.[1] ?? /^\|\+\+\+ b\/(\S+)/.exec(line)?.[1] ?? file;
    if (/^Hunk #\d+ FAILED/.test(line)) problems.push(`${file}: ${line}`);
    if (/^No file to patch/.test(line)) {
      absent = file;
      problems.push(`${file}: there is no such file`);
    }
    if (/ hunks? ignored$/.test(line) && file !== absent)
      problems.push(`${file}: changed already, though not as by this patch`);
  }
  return problems.length > 0 ? problems : [output.trim().split("\n").at(-1) ?? "patch failed"];
}
