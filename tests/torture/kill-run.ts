// SPDX-License-Identifier: MIT
// One copy whose process is killed at random moments and resumed, on the host or in the guest.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../unit/random.ts";
import { checkClaims } from "./claims.ts";
import type { Region } from "./ends.ts";
import type { RunKind, RunReport } from "./report.ts";

/** What is copied where, and whether it arrived. */
export interface EndsUnderTest {
  readonly source: Region;
  readonly destination: Region;
  readonly lengthBytes: number;
  readonly content: Buffer;
  prepare(): void;
  written(): Buffer;
  /** What is wrong after a copy that ended as it should; undefined when nothing is. */
  fault(): string | undefined;
}

export interface KillRun {
  readonly seed: number;
  readonly kind: RunKind;
  /** p2pdma, as a command. */
  readonly program: readonly string[];
  readonly ends: EndsUnderTest;
  readonly journal: string;
  /** The copy's options, without its ends and its journal. */
  readonly options: readonly string[];
  /** What a resume gets besides its journal. */
  readonly resumeOptions: readonly string[];
  readonly mostKills: number;
  /** How long the copy is about to move data: kills fall into that time. */
  readonly movingMs: number;
  /** Media are bad: a run that is left alone ends with this exit code instead of 0, or for a while with 6. */
  readonly badMedia?: { readonly exitCode: number; readonly mayStop: boolean };
}

interface Ended {
  readonly exitCode: number | null;
  readonly wasKilled: boolean;
  readonly afterMs: number;
  readonly stderr: string;
}

/** Generous: a loaded machine with an emulated one in it is slow. A hang is a failure all the same. */
const DEADLINE_MS = 120_000;
const MOST_ATTEMPTS = 8;

/** Copies, kills, checks what the journal claims, resumes; at the end everything must be there. */
export async function runKilled(run: KillRun, random: Random): Promise<RunReport> {
  run.ends.prepare();
  const kills: string[] = [];
  let repeated = 0;
  let chunks = 0;
  const report = (problem?: string): RunReport => {
    const { seed, kind, options } = run;
    return { seed, kind, kills, repeated, chunks, problem, detail: options.join(" ") };
  };
  let left = 1 + random(run.mostKills);
  for (let attempt = 1; left > 0 && attempt <= MOST_ATTEMPTS; attempt++) {
    const ended = await runOnce(run, killMoment(run, random, attempt));
    if (!ended.wasKilled && !isGood(run, ended.exitCode)) return report(describe("exit", ended));
    const at = `killed after ${ended.afterMs} ms`;
    if (!existsSync(run.journal)) {
      kills.push(`${at}, before its journal`);
      continue;
    }
    const claims = checkClaims(readFileSync(run.journal, "utf8"), endsOf(run));
    if (claims.lies.length > 0) return report(`the journal claims what is not there: ${claims.lies}`);
    if (ended.wasKilled) {
      left--;
      chunks = Math.max(chunks, claims.chunks);
      repeated += claims.repeated;
      kills.push(`${at} with ${claims.claimed} claimed (${claims.state})`);
    } else if (ended.exitCode !== 6) {
      if (chunks > 0 || run.badMedia) break;
      // It was done before the kill came: again, and earlier.
      rmSync(run.journal);
      run.ends.prepare();
    }
  }
  const last = await runToEnd(run);
  if (last.exitCode !== (run.badMedia?.exitCode ?? 0)) return report(describe("the last resume", last));
  const { state } = checkClaims(readFileSync(run.journal, "utf8"), endsOf(run));
  const wanted = last.exitCode === 5 ? "bad-ranges" : "done";
  return report(run.ends.fault() ?? (state === wanted ? undefined : `the journal ends in state ${state}`));
}

function isGood({ badMedia }: KillRun, exitCode: number | null): boolean {
  return exitCode === (badMedia?.exitCode ?? 0) || (exitCode === 6 && badMedia?.mayStop === true);
}

/** Errors that pass may stop it a few times more. */
async function runToEnd(run: KillRun): Promise<Ended> {
  let last = await runOnce(run, undefined);
  for (let more = MOST_ATTEMPTS; more > 0 && last.exitCode === 6 && isGood(run, 6); more--) {
    last = await runOnce(run, undefined);
  }
  return last;
}

function endsOf({ ends }: KillRun) {
  return {
    source: ends.content,
    destination: ends.written(),
    srcBase: ends.source.offset,
    dstBase: ends.destination.offset,
  };
}

function describe(what: string, { exitCode, stderr }: Ended): string {
  return `${what}: exit code ${exitCode}: ${stderr.slice(-1000)}`;
}

/** Where a run is to be killed: so long after the start of the process, or after the first event of a kind. */
interface Moment {
  readonly after: "spawn" | "route" | "progress";
  readonly delayMs: number;
}

function killMoment({ movingMs }: KillRun, random: Random, attempt: number): Moment {
  const after = (["spawn", "route"] as const)[random(8)] ?? "progress";
  return { after, delayMs: random(Math.ceil((movingMs * 1.1) / attempt)) };
}

/** A copy, or a resume when there is a journal. */
async function runOnce(run: KillRun, moment: Moment | undefined): Promise<Ended> {
  const { program, ends, journal, options, resumeOptions } = run;
  const { source, destination, lengthBytes } = ends;
  const range = ["--offset", source.offset, "--seek", destination.offset, "--length", lengthBytes].map(
    String,
  );
  const output = ["--progress=json", "--json"];
  const command = existsSync(journal)
    ? ["resume", ...output, ...resumeOptions, journal]
    : ["copy", ...output, ...options, `--journal=${journal}`, ...range, source.path, destination.path];
  const [file = "", ...args] = [...program, ...command];
  const started = performance.now();
  const child = spawn(file, args, { stdio: ["ignore", "ignore", "pipe"] });
  const killed = moment === undefined ? deadline(child) : killAt(child, moment);
  const stderr = collect(child);
  const exitCode = await new Promise<number | null>((resolve) => child.once("close", resolve));
  killed.cancel();
  const afterMs = Math.round(performance.now() - started);
  return { exitCode, wasKilled: child.signalCode === "SIGKILL", afterMs, stderr: stderr() };
}

/** What a person would read of the JSON lines. */
function collect(child: ChildProcess): () => string {
  let text = "";
  child.stderr?.on("data", (data: Buffer) => {
    text += data.toString();
  });
  const isNews = (line: string) => line !== "" && !/"event":"(progress|checkpoint|route|start)"/.test(line);
  return () => text.split("\n").filter(isNews).join("\n");
}

function deadline(child: ChildProcess): { cancel(): void } {
  const timer = setTimeout(() => child.kill("SIGKILL"), DEADLINE_MS);
  return { cancel: () => clearTimeout(timer) };
}

function killAt(child: ChildProcess, { after, delayMs }: Moment): { cancel(): void } {
  const stop = new AbortController();
  const kill = () =>
    sleep(delayMs, undefined, { signal: stop.signal })
      .then(() => child.kill("SIGKILL"))
      .catch(() => {});
  if (after === "spawn") void kill();
  else {
    const seen = (data: Buffer) => {
      if (!data.includes(`"event":"${after}"`)) return;
      child.stderr?.off("data", seen);
      void kill();
    };
    child.stderr?.on("data", seen);
  }
  return { cancel: () => stop.abort() };
}
