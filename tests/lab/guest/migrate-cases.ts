// SPDX-License-Identifier: MIT
// Eight copies over three providers, killed and resumed: run inside the `three-providers` lab, whose drive D has a bad
// sector at 130 MiB.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadJob, readProgress } from "../../../core/migrate/job.ts";
import type { MigrateReport } from "../../../core/migrate/report.ts";
import { readAvailable } from "../../../core/p2pmem/providers.ts";
import type { Bdf } from "../../../core/pci/bdf.ts";
import { drive, randomContent, readMedium, sys, writeMedium } from "./media.ts";
import { check, expect } from "./report.ts";

const MIB = 1 << 20;
const LIMIT_MIB = 4;
const folder = "/run/p2pdma/migrate";
const program = process.argv[2] ?? "";
const drives = { A: drive("A"), B: drive("B"), C: drive("C"), D: drive("D") };
type Letter = keyof typeof drives;

interface Move {
  readonly name: string;
  readonly from: Letter;
  readonly offset: number;
  readonly to: Letter;
  readonly seek: number;
  readonly lengthMiB: number;
  readonly more?: string;
}

/** Offsets in MiB. A begins with a file system, so that writing elsewhere on it needs to be allowed. */
const moves: readonly Move[] = [
  { name: "slow", from: "A", offset: 0, to: "D", seek: 0, lengthMiB: 8, more: "rate: 1M" },
  { name: "ab", from: "A", offset: 16, to: "B", seek: 0, lengthMiB: 4 },
  { name: "bc", from: "B", offset: 64, to: "C", seek: 0, lengthMiB: 4 },
  { name: "ca", from: "C", offset: 64, to: "A", seek: 64, lengthMiB: 4, more: "overwrite: [filesystem]" },
  { name: "da", from: "D", offset: 64, to: "A", seek: 128, lengthMiB: 4, more: "overwrite: [filesystem]" },
  { name: "bad", from: "D", offset: 128, to: "C", seek: 128, lengthMiB: 4, more: "retries: 0" },
  { name: "late", from: "C", offset: 0, to: "B", seek: 128, lengthMiB: 4, more: "after: [bc]" },
  { name: "cb", from: "C", offset: 96, to: "B", seek: 192, lengthMiB: 4 },
];

const plan = join(folder, "plan.yaml");
const job = join(folder, "plan.p2pjob");

function writePlan(): void {
  const pairs = moves.map(({ name, from, offset, to, seek, lengthMiB, more }) => {
    const ends = `from: "serial:P2PLAB-${from}", to: "serial:P2PLAB-${to}"`;
    const range = `offset: ${offset}M, seek: ${seek}M, length: ${lengthMiB}M`;
    return `  - { name: ${name}, ${ends}, ${range}${more ? `, ${more}` : ""} }`;
  });
  const head = [
    "version: 1",
    "defaults: { via: p2p, verify: after, checkpoint: 500ms, sparse: never }",
    `limits: { jobs: 4, perDevice: 4, perProvider: ${LIMIT_MIB}MiB }`,
    "pairs:",
  ];
  writeFileSync(plan, [...head, ...pairs, ""].join("\n"));
}

function fillSources(): void {
  for (const { from, offset, lengthMiB, name } of moves) {
    if (name === "slow" || name === "late") continue;
    writeMedium(drives[from].path, BigInt(offset * MIB), randomContent(lengthMiB * MIB));
  }
  execFileSync("mkfs.ext4", ["-q", "-F", drives.A.path, "8M"]);
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

function migrate(...args: string[]): Running {
  const child = spawn(process.execPath, [program, "migrate", "--allow-write", "--json", ...args, plan], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (data) => {
    stdout += data;
  });
  child.stderr.on("data", (data) => {
    stderr += data;
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ended };
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until a copy has moved so much in this run; answers the process that does it. */
async function progressOf(name: string, bytes: number): Promise<number> {
  const deadline = performance.now() + 240_000;
  while (performance.now() < deadline) {
    const pair = existsSync(job) ? loadJob(job)?.pairs.find((one) => one.name === name) : undefined;
    const done = Number(readProgress(job)[name]?.bytesDone ?? 0);
    if (pair?.state === "running" && pair.process && done >= bytes) return pair.process.pid;
    await sleep(200);
  }
  throw new Error(`"${name}" never came to ${bytes} bytes`);
}

const providers = [drives.A, drives.B, drives.C].map(({ bdf }) => bdf as Bdf);
const freeNow = () => providers.map((bdf) => Number(readAvailable(sys, bdf)));
const freeAtStart = freeNow();
let mostHeld = 0;

function watchMemory(): NodeJS.Timeout {
  return setInterval(() => {
    const held = freeNow().map((free, index) => (freeAtStart[index] ?? 0) - free);
    mostHeld = Math.max(mostHeld, ...held);
  }, 100);
}

function statesOf(report: MigrateReport): string {
  return report.pairs.map(({ name, state }) => `${name}=${state}`).join(" ");
}

function expectStates(report: MigrateReport, wanted: Readonly<Record<string, string>>): void {
  for (const { name, state } of report.pairs) {
    expect(state === (wanted[name] ?? "done"), `${name} is ${state}: ${statesOf(report)}`);
  }
}

/** Shipped to the host, which holds it against the published schema. */
function keep(kind: string, text: string): void {
  process.stdout.write(`#${JSON.stringify({ kind, text })}\n`);
}

function expectAllFree(): void {
  expect(String(freeNow()) === String(freeAtStart), `free ${freeNow()}, at the start ${freeAtStart}`);
}

mkdirSync(folder, { recursive: true });
writePlan();
fillSources();
const watch = watchMemory();

await check("migrate --dry-run settles provider and staging memory of each of the eight copies", async () => {
  const { code, stdout, stderr } = await migrate("--dry-run").ended;
  expect(code === 0, `exit ${code}: ${stderr}`);
  keep("migrate-preview", stdout);
  const { pairs } = JSON.parse(stdout);
  const through = pairs.map((pair: { route: { provider: string } }) => pair.route.provider);
  expect(new Set(through).size === 3, `providers ${through}`);
  expect(!existsSync(job), "it left a job");
});

await check("a copy is killed, another meets a bad sector, and the six others are done", async () => {
  const run = migrate("--progress=json");
  const pid = await progressOf("slow", 2 * MIB);
  process.kill(pid, "SIGKILL");
  const { code, stdout, stderr } = await run.ended;
  keep("progress", stderr);
  keep("migrate", stdout);
  expect(code === 6, `exit ${code}: ${stderr.slice(-2000)}`);
  const report = JSON.parse(stdout) as MigrateReport;
  expectStates(report, { slow: "stopped", bad: "stopped" });
  const [slow, bad] = ["slow", "bad"].map((name) => report.pairs.find((pair) => pair.name === name));
  expect(slow?.signal === "SIGKILL" && slow.exitCode === null, `slow: ${JSON.stringify(slow)}`);
  expect(bad?.exitCode === 6, `bad: ${JSON.stringify(bad)}`);
  expect(/Cannot read/.test(bad?.problem?.message ?? ""), `bad: ${bad?.problem?.message}`);
  for (const { name, receipt, route } of report.pairs) {
    if (name === "slow" || name === "bad") continue;
    expect(receipt?.route.via === "p2p", `${name} went ${receipt?.route.via}`);
    expect(receipt?.bytes.peerToPeer === String(4 * MIB), `${name}: ${receipt?.bytes.peerToPeer}`);
    expect(receipt?.staging.provider === route?.provider, `${name}: not through the planned provider`);
    expect(receipt?.verification?.method === "NVMe Compare", `${name}: ${receipt?.verification?.method}`);
  }
});

await check("all p2pmem is back although a copy was killed", expectAllFree);

await check("no provider ever lent more than the plan's limit", () => {
  expect(mostHeld > 0, "nothing was held at all");
  expect(mostHeld <= LIMIT_MIB * MIB, `${mostHeld} bytes were held at once`);
});

await check("migrate itself is killed; its state is known from outside", async () => {
  const run = migrate("--resume");
  await progressOf("slow", 3 * MIB);
  run.child.kill("SIGKILL");
  await run.ended;
  const { code, stdout } = await migrate("--status").ended;
  keep("migrate", stdout);
  const report = JSON.parse(stdout) as MigrateReport;
  expect(code === 0 && report.state === "killed", `exit ${code}, ${report.state}`);
  expectStates(report, {
    slow: "running",
    bad: report.pairs.find(({ name }) => name === "bad")?.state ?? "",
  });
});

await check("resumed again, only what was open is copied, from where it stood", async () => {
  const [html, json] = [join(folder, "report.html"), join(folder, "report.json")];
  const { code, stdout, stderr } = await migrate("--resume", "--report", html, "--report", json).ended;
  keep("migrate", stdout);
  expect(code === 6, `exit ${code}: ${stderr.slice(-2000)}`);
  const report = JSON.parse(stdout) as MigrateReport;
  expectStates(report, { bad: "stopped" });
  expect(report.runs === 3, `runs: ${report.runs}`);
  const slow = report.pairs.find(({ name }) => name === "slow");
  // The copy that migrate left alone when it was killed may have come to its end before anybody looked.
  const hasFinishedAlone = slow?.attempts === 2;
  expect(hasFinishedAlone || slow?.attempts === 3, `attempts: ${slow?.attempts}`);
  const before = BigInt(slow?.receipt?.bytes.before ?? 0);
  expect(hasFinishedAlone || before >= BigInt(MIB), `before: ${before}`);
  for (const { name, attempts } of report.pairs) {
    if (name !== "slow" && name !== "bad") expect(attempts === 1, `${name} was copied ${attempts} times`);
  }
  for (const provider of report.providers) {
    const { availableAtStartBytes, availableAtEndBytes } = provider;
    expect(availableAtStartBytes === availableAtEndBytes, `${provider.name}: ${JSON.stringify(provider)}`);
  }
  expect(readFileSync(json, "utf8") === stdout, "the report differs from what was printed");
  const page = readFileSync(html, "utf8");
  for (const { name } of moves) expect(page.includes(`>${name}<`), `${name} is not in the HTML`);
});

for (const { name, from, offset, to, seek, lengthMiB } of moves) {
  if (name === "bad") continue;
  await check(`${name}: the destination is what the source is`, () => {
    const ours = readMedium(drives[from].path, BigInt(offset * MIB), lengthMiB * MIB);
    const theirs = readMedium(drives[to].path, BigInt(seek * MIB), lengthMiB * MIB);
    expect(ours.equals(theirs), "they differ");
  });
}

await check("all p2pmem is back at the end", expectAllFree);
clearInterval(watch);
