// SPDX-License-Identifier: MIT
import { join } from "node:path";
import { Collector, type Streams, withInput } from "./capture.ts";
import { labUsageError } from "./errors.ts";
import { Interrupts } from "./interrupts.ts";
import { packageRoot } from "./package-root.ts";
import type { CommandStatus, LabSession } from "./session.ts";
import { type LabOptions, startLab } from "./start.ts";
import { isInteractive, takeTerminal, windowSize } from "./terminal.ts";

export { LabError } from "./errors.ts";
export type { CommandStatus, LabSession } from "./session.ts";
export { type LabOptions, startLab } from "./start.ts";

export interface CommandOptions {
  readonly command: readonly string[];
  /** Default: this process's. */
  readonly cwd?: string;
  /** On top of this process's environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** For `capture`: what the command reads. Default: nothing. */
  readonly input?: string | Uint8Array;
  /** The command is given this long; then the guest is killed and a LabError thrown. */
  readonly timeoutMs?: number;
}

export interface LabRunOptions extends LabOptions, CommandOptions {
  /** `inherit`: this process's own streams, terminal and signals. `capture` (default): in the result. */
  readonly stdio?: "inherit" | "capture";
}

export interface CommandResult extends CommandStatus {
  /** Empty when the streams were inherited. */
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Buffer;
  readonly stderrBytes: Buffer;
  readonly wallMs: number;
}

export interface LabResult extends CommandResult {
  /** The last lines of the guest's kernel console, at most 200. */
  readonly consoleTail: readonly string[];
}

/** Boots a guest, runs one command in it, powers it off. @throws LabError when the guest is at fault. */
export async function runInLab(options: LabRunOptions): Promise<LabResult> {
  if (options.command.length === 0) throw labUsageError("No command to run in the lab");
  const start = performance.now();
  const result = await (options.stdio === "inherit" ? inherit(options) : capture(options));
  return { ...result, wallMs: performance.now() - start };
}

/** Runs one command in a guest that is up, and collects what it writes. */
export async function captureIn(lab: LabSession, options: CommandOptions): Promise<CommandResult> {
  const start = performance.now();
  const [stdout, stderr] = [new Collector(), new Collector()];
  const status = await runWithin(lab, options, { stdin: withInput(options.input), stdout, stderr });
  return { ...status, ...outputs(stdout, stderr), wallMs: performance.now() - start };
}

async function capture(options: LabRunOptions): Promise<LabResult> {
  const lab = await startLab(options);
  try {
    return { ...(await captureIn(lab, options)), consoleTail: lab.consoleTail() };
  } finally {
    await lab.close();
  }
}

async function inherit(options: LabRunOptions): Promise<Omit<LabResult, "wallMs">> {
  const killer = new AbortController();
  let lab: LabSession | undefined;
  const interrupts = new Interrupts({
    forward: (signal) => lab?.signal(signal) ?? false,
    kill: () => killer.abort(),
  });
  try {
    lab = await startLab({ ...options, signal: killer.signal });
    const status = await runOnOurStreams(lab, options);
    return { ...status, ...outputs(), consoleTail: lab.consoleTail() };
  } catch (error) {
    const signal = interrupts.killedBy;
    if (signal === undefined) throw error;
    return { exitCode: 128 + signal, signal, ...outputs(), consoleTail: lab?.consoleTail() ?? [] };
  } finally {
    await lab?.close();
    interrupts.stop();
  }
}

async function runOnOurStreams(lab: LabSession, options: LabRunOptions): Promise<CommandStatus> {
  const { stdin, stdout, stderr } = process;
  if (!isInteractive()) return runWithin(lab, options, { stdin, stdout, stderr });
  const giveBack = takeTerminal((size) => lab.resize(size));
  try {
    return await runWithin(lab, options, { stdin, stdout, stderr, terminal: windowSize() });
  } finally {
    giveBack();
  }
}

async function runWithin(lab: LabSession, options: CommandOptions, streams: Streams): Promise<CommandStatus> {
  const { command, cwd = process.cwd(), timeoutMs } = options;
  const expire = () => lab.kill(`"${command.join(" ")}" did not end within ${(timeoutMs ?? 0) / 1000} s`);
  const timer = timeoutMs === undefined ? undefined : setTimeout(expire, timeoutMs);
  try {
    return await lab.run({ command, cwd, env: guestEnvironment(options.env), ...streams });
  } finally {
    clearTimeout(timer);
  }
}

/** Ours, with `p2pdma` on the path, and what tells a program that it runs in the lab and where it may write freely. */
function guestEnvironment(extra: CommandOptions["env"] = {}): Record<string, string> {
  const PATH = `${join(packageRoot(), "dist", "bin")}:${process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin"}`;
  const all = { ...process.env, PATH, P2PDMA_LAB: "1", P2PDMA_SCRATCH: "/run/p2pdma", ...extra };
  const entries = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(entries);
}

type Outputs = Pick<CommandResult, "stdout" | "stderr" | "stdoutBytes" | "stderrBytes">;

function outputs(out = new Collector(), err = new Collector()): Outputs {
  const [stdoutBytes, stderrBytes] = [out.bytes(), err.bytes()];
  return { stdoutBytes, stderrBytes, stdout: stdoutBytes.toString(), stderr: stderrBytes.toString() };
}
