// SPDX-License-Identifier: MIT
// Jobs of the built program on files through RAM.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { loadJob, readProgress } from "../../../core/migrate/job.ts";
import type { MigrateReport } from "../../../core/migrate/report.ts";
import { tempFolder } from "../../unit/temp.ts";

const program = join(import.meta.dirname, "..", "..", "..", "dist", "p2pdma.js");
const base = tempFolder("migrate");
const DEADLINE_MS = 50_000;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder with two sources of 2 MiB and a bit, and a plan. */
export class Job {
  readonly folder: string;

  constructor(name: string, plan: string) {
    this.folder = join(base, name);
    mkdirSync(join(this.folder, "out"), { recursive: true });
    for (const file of ["a.img", "b.img"]) writeFileSync(this.path(file), randomBytes((2 << 20) + 5));
    this.write(plan);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(plan: string): void {
    writeFileSync(this.path("plan.yaml"), `version: 1\n${plan}`);
  }

  log(): string[] {
    return existsSync(this.path("log")) ? readFileSync(this.path("log"), "utf8").trim().split("\n") : [];
  }

  start(...args: string[]): { child: ChildProcess; ended: Promise<Ended> } {
    const child = spawn(process.execPath, [program, "migrate", ...args, "plan.yaml"], {
      ...{ cwd: this.folder, stdio: ["ignore", "pipe", "pipe"], timeout: DEADLINE_MS },
    });
    let [stdout, stderr] = ["", ""];
    child.stdout?.on("data", (data) => {
      stdout += data;
    });
    child.stderr?.on("data", (data) => {
      stderr += data;
    });
    const ended = new Promise<Ended>((resolve) => {
      child.on("close", (code) => resolve({ code, stdout, stderr }));
    });
    return { child, ended };
  }

  run(...args: string[]): Promise<Ended> {
    return this.start(...args).ended;
  }

  async report(...args: string[]): Promise<{ code: number | null; report: MigrateReport; stderr: string }> {
    const { code, stdout, stderr } = await this.run("--json", ...args);
    assert.is.not(stdout, "", stderr);
    return { code, report: JSON.parse(stdout) as MigrateReport, stderr };
  }

  /** Waits until a copy has been started; answers its process. */
  begun(name: string): Promise<number> {
    return this.moving(name, -1);
  }

  /** Waits until a copy has moved something; answers its process. */
  async moving(name: string, moreThan = 0): Promise<number> {
    const until = performance.now() + DEADLINE_MS;
    while (performance.now() < until) {
      const folder = this.path("plan.p2pjob");
      const pair = loadJob(folder)?.pairs.find((one) => one.name === name);
      if (pair?.process && Number(readProgress(folder)[name]?.bytesDone ?? 0) > moreThan)
        return pair.process.pid;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`"${name}" never moved anything`);
  }

  isCopied(from: string, to: string): boolean {
    return readFileSync(this.path(from)).equals(readFileSync(this.path(to)));
  }
}

export function states({ pairs }: MigrateReport): Record<string, string> {
  return Object.fromEntries(pairs.map(({ name, state }) => [name, state]));
}

/** A hook that writes down that it ran, and what it was told. Relative paths start where migrate was started. */
export const LOG = (word: string) => `echo ${word} $P2PDMA_PAIR $P2PDMA_EXIT_CODE >> log`;
/** Options of a copy that is still at work when one looks. */
export const SLOW = "rate: 1M, checkpoint: 200ms";

/** A zombie does not run, and who should collect it may never come. */
export function isRunning(pid: number): boolean {
  const stat = `/proc/${pid}/stat`;
  return existsSync(stat) && !/\) Z/.test(readFileSync(stat, "utf8"));
}
