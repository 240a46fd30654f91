// SPDX-License-Identifier: MIT
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Probe, ProbeResult } from "./probe.ts";
import type { ProbeMessage } from "./probe-child.ts";

/** Starting a program can take seconds where it is emulated. */
const START_MS = 60_000;

/**
 * Has a child process make the probes and waits for each no longer than told. A child
 * in a read that never ends can't even be killed: it is left behind, and nothing more tried.
 * @param command the program and its arguments; told the probes as JSON in the last one.
 */
export function runProbes(
  command: readonly string[],
  probes: readonly Probe[],
  deadlineMs: number,
): Promise<ProbeResult[]> {
  if (probes.length === 0) return Promise.resolve([]);
  const [program = "", ...args] = command;
  const child = spawn(program, [...args, JSON.stringify(probes)], { stdio: ["ignore", "pipe", "pipe"] });
  return new Promise((resolve) => new Watch(child, probes, deadlineMs, resolve));
}

class Watch {
  private readonly results: ProbeResult[] = [];
  private timer: NodeJS.Timeout;
  private problem = "";
  private hasEnded = false;

  constructor(
    private readonly child: ChildProcess,
    private readonly probes: readonly Probe[],
    private readonly deadlineMs: number,
    private readonly resolve: (results: ProbeResult[]) => void,
  ) {
    this.timer = setTimeout(() => this.expire(), START_MS);
    if (child.stdout) createInterface(child.stdout).on("line", (line) => this.hear(line));
    child.stderr?.on("data", (data: Buffer) => {
      this.problem += data.toString();
    });
    child.on("error", (error) => this.end("failed", error.message));
    child.on("close", () => this.end("failed", this.problem.trim().split("\n")[0] || "EPIPE"));
  }

  private hear(line: string): void {
    const message = JSON.parse(line) as ProbeMessage;
    clearTimeout(this.timer);
    if ("begins" in message) {
      this.timer = setTimeout(() => this.expire(), this.deadlineMs);
      return;
    }
    const { outcome, code, isFragmented } = message;
    const probe = this.probes[message.ended];
    if (probe && !this.hasEnded) this.results.push({ ...probe, outcome, code, isFragmented });
    this.timer = setTimeout(() => this.expire(), START_MS);
  }

  private expire(): void {
    this.child.kill("SIGKILL");
    this.child.stdout?.destroy();
    this.child.stderr?.destroy();
    this.child.unref();
    this.end("hangs", "ETIMEDOUT");
  }

  /** What is left: the first of it is what went wrong, if the child came to it. */
  private end(outcome: "failed" | "hangs", code: string): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    clearTimeout(this.timer);
    for (const [at, probe] of this.probes.slice(this.results.length).entries()) {
      const result = at === 0 ? { outcome, code } : { outcome: "untried" as const, code: undefined };
      this.results.push({ ...probe, ...result, isFragmented: false });
    }
    this.resolve(this.results);
  }
}
