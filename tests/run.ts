// SPDX-License-Identifier: MIT
// Runs the named groups of tests (unit, c, host, docs, lab, torture), each file in a process of its
// own with a deadline, and ends with one line of totals.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { documentsWithCommands } from "./docs/documents.ts";

interface Job {
  readonly name: string;
  readonly command: readonly string[];
  readonly deadlineMs: number;
}

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Group {
  jobs(): Job[];
  /** Reads the totals out of what a job printed. */
  parse(output: string): Outcome | undefined;
  readonly parallel: number;
}

const KEPT_LINES = 150;
/** How this runtime runs a file in TypeScript. */
const TYPESCRIPT = process.versions.deno ? ["run", "--allow-all"] : ["--import", "tsx"];

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

const groups: Record<string, Group> = {
  unit: { jobs: () => uvuJobs("tests/unit", 240_000), parse: parseUvu, parallel: availableParallelism() },
  c: {
    jobs: () => [{ name: "tests/c", command: ["make", "-s", "-C", "tests/c", "check"], deadlineMs: 300_000 }],
    parse: parsePlain,
    parallel: 1,
  },
  host: { jobs: () => uvuJobs("tests/host", 300_000), parse: parseUvu, parallel: availableParallelism() },
  docs: { jobs: docsJobs, parse: parseUvu, parallel: availableParallelism() },
  lab: { jobs: () => uvuJobs("tests/lab", 1_800_000), parse: parseUvu, parallel: availableParallelism() },
  torture: { jobs: () => uvuJobs("tests/torture", 1_200_000), parse: parseUvu, parallel: 1 },
};

/** Each takes minutes: begun first, so that none of them is left alone at the end. */
const LONGEST = ["unplug", "doctor", "prediction", "bench", "refusals"].map(
  (name) => `tests/lab/${name}.test.ts`,
);

const totals = { passed: 0, failed: 0, skipped: 0 };
const chosen = process.argv.slice(2).map((name) => {
  const group = groups[name];
  if (!group) throw new Error(`no test group "${name}": ${Object.keys(groups).join(", ")}`);
  return group;
});
// Groups overlap at their ends: the last job of one may take minutes, and some have one job at a time.
let free = availableParallelism();
const waiting: { readonly rank: number; readonly begin: () => void }[] = [];
await Promise.all(chosen.map(runGroup));
if (totals.passed + totals.failed === 0) totals.failed = 1;
console.log(
  `${totals.passed} passed, ${totals.failed} failed${totals.skipped ? `, ${totals.skipped} skipped` : ""}`,
);
process.exitCode = totals.failed > 0 ? 1 : 0;

async function runGroup(group: Group, rank: number): Promise<void> {
  const queue = group.jobs();
  const worker = async () => {
    for (let job = queue.shift(); job; job = queue.shift()) {
      await turn(rank);
      await runJob(group, job);
      free++;
    }
    beginNext();
  };
  await Promise.all(Array.from({ length: group.parallel }, worker));
}

/** Waits for a core; those of the group named first go first. */
function turn(rank: number): Promise<void> {
  return new Promise((begin) => {
    waiting.push({ rank, begin });
    waiting.sort((a, b) => a.rank - b.rank);
    beginNext();
  });
}

function beginNext(): void {
  if (free === 0) return;
  const next = waiting.shift();
  if (!next) return;
  free--;
  next.begin();
}

async function runJob(group: Group, job: Job): Promise<void> {
  const started = performance.now();
  const { output, problem } = await capture(job);
  const outcome = settleOutcome(group.parse(output), problem);
  totals.passed += outcome.passed;
  totals.failed += outcome.failed;
  totals.skipped += outcome.skipped;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const verdict = outcome.failed > 0 ? "FAIL" : "ok  ";
  console.log(`${verdict} ${job.name}: ${outcome.passed} passed, ${outcome.failed} failed (${seconds} s)`);
  const skips = output.split("\n").filter((line) => line.startsWith("# skip:"));
  for (const line of skips) console.log(`     ${line}`);
  if (outcome.failed > 0) console.log(`${shorten(output)}\n${problem ?? ""}`);
}

/** A failed comparison of large objects can fill thousands of lines; the head names what failed first. */
function shorten(output: string): string {
  const lines = output.split("\n");
  if (lines.length <= 2 * KEPT_LINES) return output;
  const left = lines.length - 2 * KEPT_LINES;
  return [...lines.slice(0, KEPT_LINES), `... ${left} lines left out ...`, ...lines.slice(-KEPT_LINES)].join(
    "\n",
  );
}

/** A process that ends badly has failed, whatever it counted. */
function settleOutcome(parsed: Outcome | undefined, problem: string | undefined): Outcome {
  const outcome = parsed ?? { passed: 0, failed: 0, skipped: 0 };
  const isSilent = outcome.passed + outcome.failed + outcome.skipped === 0;
  return (problem && outcome.failed === 0) || isSilent ? { ...outcome, failed: outcome.failed + 1 } : outcome;
}

function capture(job: Job): Promise<{ output: string; problem: string | undefined }> {
  const [file = "", ...args] = job.command;
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], detached: true });
    let output = "";
    let late = false;
    const collect = (data: Buffer) => {
      output += data.toString();
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    const timer = setTimeout(() => {
      late = true;
      if (child.pid) process.kill(-child.pid, "SIGKILL");
    }, job.deadlineMs);
    child.on("error", (error) => resolve({ output, problem: error.message }));
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const problem = late
        ? `no end within ${job.deadlineMs / 1000} s`
        : code === 0
          ? undefined
          : `ended with ${signal ?? code}`;
      resolve({ output, problem });
    });
  });
}

function uvuJobs(folder: string, deadlineMs: number): Job[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => join(folder, name))
    .sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1))
    .map((name) => ({ name, command: [process.execPath, ...TYPESCRIPT, name], deadlineMs }));
}

function place(name: string): number {
  const at = LONGEST.indexOf(name);
  return at < 0 ? LONGEST.length : at;
}

/** One for each document that has commands, and the others of the folder. */
function docsJobs(): Job[] {
  return uvuJobs("tests/docs", 900_000).flatMap((job) =>
    job.name.endsWith("docs.test.ts")
      ? documentsWithCommands().map((name) => ({ ...job, name, command: [...job.command, name] }))
      : [job],
  );
}

function parseUvu(output: string): Outcome | undefined {
  const field = (name: string) =>
    Number(new RegExp(`^\\s*${name}:\\s+(\\d+)`, "m").exec(stripVTControlCharacters(output))?.[1] ?? NaN);
  const [total, passed, skipped] = [field("Total"), field("Passed"), field("Skipped")];
  return Number.isNaN(total) ? undefined : { passed, failed: total - passed, skipped };
}

function parsePlain(output: string): Outcome | undefined {
  const lines = [...output.matchAll(/^(\d+) passed, (\d+) failed$/gm)];
  if (lines.length === 0) return undefined;
  const sum = (index: number) => lines.reduce((total, line) => total + Number(line[index]), 0);
  return { passed: sum(1), failed: sum(2), skipped: 0 };
}
