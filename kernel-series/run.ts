// SPDX-License-Identifier: MIT
import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { finished } from "node:stream/promises";
import { KernelBuildError } from "./errors.ts";

export interface RunOptions {
  readonly cwd: string;
  /** Both outputs are appended to this file. */
  readonly log: string;
  readonly signal: AbortSignal;
  /** Inherited by the command and all it starts, which keeps the lock that belongs to it. */
  readonly lock: number;
  /** Sees each line; keeps it out of the log by returning false. */
  readonly onLine?: (line: string) => boolean;
}

const killAfterMs = 5000;

/** Runs a command in a process group of its own, which ends as a whole when the signal is raised. */
export async function run(command: string, args: readonly string[], options: RunOptions): Promise<void> {
  options.signal.throwIfAborted();
  const log = createWriteStream(options.log, { flags: "a" });
  log.write(`\n$ ${[command, ...args].join(" ")}\n`);
  const tail: string[] = [];
  const keep = (line: string): void => {
    if (options.onLine?.(line) === false) return;
    log.write(`${line}\n`);
    tail.push(line);
    if (tail.length > 12) tail.shift();
  };
  try {
    const status = await runGroup(command, args, options, keep);
    options.signal.throwIfAborted();
    if (status !== 0) throw failed(command, status, tail, options.log);
  } finally {
    log.end();
    await finished(log);
  }
}

function runGroup(
  command: string,
  args: readonly string[],
  { cwd, lock, signal }: RunOptions,
  keep: (line: string) => void,
): Promise<number | NodeJS.Signals> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: buildEnvironment(),
      detached: true,
      stdio: ["ignore", "pipe", "pipe", lock],
    });
    for (const output of [child.stdout, child.stderr])
      if (output) createInterface({ input: output }).on("line", keep);

    let timer: NodeJS.Timeout | undefined;
    const stop = (): void => {
      killGroup(child.pid, "SIGTERM");
      timer = setTimeout(() => killGroup(child.pid, "SIGKILL"), killAfterMs);
    };
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    };
    signal.addEventListener("abort", stop, { once: true });
    child.once("error", (error) => {
      settle();
      reject(error);
    });
    child.once("close", (status, killer) => {
      settle();
      resolve(status ?? killer ?? 1);
    });
  });
}

function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {}
}

/** Nothing of the caller's that could change the kernel, and nothing of this machine in its banner. */
function buildEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env;
  return {
    PATH,
    HOME,
    TMPDIR,
    LC_ALL: "C",
    KBUILD_BUILD_USER: "p2pdma",
    KBUILD_BUILD_HOST: "lab",
    KBUILD_BUILD_TIMESTAMP: "1970-01-01",
  };
}

function failed(
  command: string,
  status: number | NodeJS.Signals,
  tail: readonly string[],
  log: string,
): KernelBuildError {
  const last = tail.map((line) => `  | ${line}`);
  return new KernelBuildError([`"${command}" ended with ${status}; it said last:`, ...last].join("\n"), {
    hint: `the whole log is ${log}; building again goes on from there`,
  });
}
