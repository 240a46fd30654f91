// SPDX-License-Identifier: MIT
import { execFile, execFileSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Receipt } from "../../core/copy/receipt.ts";
import { packageRoot } from "../../lab/package-root.ts";
import { captureIn, type LabOptions, type LabSession, startLab } from "../../lab/run.ts";

/** What tests/bench/measure.c says of a command. */
export interface Usage {
  readonly wallMs: number;
  readonly userMs: number;
  readonly systemMs: number;
  readonly maxResidentBytes: number;
}

/** A shell that commands run in: this machine's, or the lab guest's. */
export interface Shell {
  /** Answers what it wrote to stdout. @throws Error with all it wrote, unless it ends with 0. */
  run(script: string): Promise<string>;
}

export const hostShell: Shell = {
  run: async (script) => {
    const { stdout } = await promisify(execFile)("bash", ["-ec", script], { maxBuffer: 1 << 26 });
    return stdout;
  },
};

/** Boots a guest for the time that the work takes. */
export async function inGuest<T>(options: LabOptions, work: (shell: Shell) => Promise<T>): Promise<T> {
  const lab = await startLab(options);
  try {
    return await work({ run: (script) => runInGuest(lab, script) });
  } finally {
    await lab.close();
  }
}

async function runInGuest(lab: LabSession, script: string): Promise<string> {
  const { stdout, stderr, exitCode } = await captureIn(lab, { command: ["bash", "-ec", script] });
  if (exitCode !== 0) throw new Error(`exit ${exitCode}: ${script}\n${stdout}\n${stderr}`);
  return stdout;
}

const root = packageRoot();
const built = (name: string) => join(root, "build", "bench", name);

export const p2pdma = join(root, "dist", "bin", "p2pdma");
export const threadsCopy = built("threads-copy");

/** The lab's p2pmem, to be mapped by others. */
export const ALLOCATE = "$(ls /sys/bus/pci/devices/*/p2pmem/allocate)";

export function buildPrograms(): void {
  execFileSync("make", ["-s", "-C", join(root, "tests", "bench")], { stdio: "inherit" });
}

/** Runs a command and tells what it took. */
export async function measured(shell: Shell, command: string): Promise<{ stdout: string; usage: Usage }> {
  const output = await shell.run(`${built("measure")} ${command}`);
  const end = output.lastIndexOf('{"wallMs"');
  return { stdout: output.slice(0, end), usage: JSON.parse(output.slice(end)) };
}

/** A copy's receipt, and what its process took. */
export async function measuredCopy(
  shell: Shell,
  words: string,
): Promise<{ receipt: Receipt; usage: Usage; megabytesPerSecond: number }> {
  const { stdout, usage } = await measured(shell, `${p2pdma} copy --json --allow-write ${words}`);
  const receipt = JSON.parse(stdout) as Receipt;
  return { receipt, usage, megabytesPerSecond: Number(receipt.lengthBytes) / receipt.transferMs / 1e3 };
}

/** How many system calls a command makes, all of its threads and children together. */
export async function systemCalls(shell: Shell, command: string): Promise<number> {
  const summary = await shell.run(
    `strace -f -qq -c -U calls,name -o /tmp/strace.txt ${command} >/dev/null && cat /tmp/strace.txt`,
  );
  const total = /^\s*(\d+)\s+total$/m.exec(summary)?.[1];
  if (total === undefined) throw new Error(`strace counted nothing:\n${summary}`);
  return Number(total);
}

export interface FioJob {
  readonly error: number;
  readonly job_runtime: number;
  readonly read: {
    readonly io_bytes: number;
    readonly bw_bytes: number;
    readonly lat_ns: { readonly mean: number };
  };
  readonly write: {
    readonly io_bytes: number;
    readonly bw_bytes: number;
    readonly lat_ns: { readonly mean: number };
  };
}

/** fio writes notes of its own before the JSON. */
export function parseFio(stdout: string): FioJob[] {
  const { jobs } = JSON.parse(stdout.slice(stdout.indexOf("{"))) as { jobs: FioJob[] };
  const failed = jobs.find(({ error }) => error !== 0);
  if (failed) throw new Error(`fio failed with ${failed.error}`);
  return jobs;
}
