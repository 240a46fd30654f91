// SPDX-License-Identifier: MIT
import { spawn } from "node:child_process";
import type { HookCommand } from "./plan.ts";

/** What a hook is told of its pair, or of the job. */
export type HookEnvironment = Readonly<Record<`P2PDMA_${string}`, string>>;

const KEPT_BYTES = 4096;
/** Between SIGTERM and SIGKILL for a hook that is late. */
const GRACE_MS = 5000;
/** What it still writes after its end is read for so long. */
const PIPES_MS = 250;

/**
 * Runs a hook to its end, in a session of its own, so that a Ctrl-C meant for us does not keep a file system frozen.
 * A late one is ended with all that it started.
 * @returns undefined when it ended with 0, else what happened
 */
export function runHook(
  what: string,
  command: HookCommand,
  environment: HookEnvironment,
  timeoutMs: number,
): Promise<string | undefined> {
  const [file = "", ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let tail = "";
    const keep = (data: Buffer) => {
      tail = (tail + data.toString()).slice(-KEPT_BYTES);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    let isLate = false;
    const timers = [
      setTimeout(() => {
        isLate = true;
        endGroup(child.pid, "SIGTERM");
      }, timeoutMs),
      setTimeout(() => endGroup(child.pid, "SIGKILL"), timeoutMs + GRACE_MS),
    ];
    const settle = (problem: string | undefined) => {
      for (const timer of timers) clearTimeout(timer);
      resolve(problem);
    };
    child.on("error", (error) => settle(`the ${what} hook could not be started: ${error.message}`));
    // A service that it started may hold its pipes open for ever.
    child.on("exit", () => {
      timers.push(setTimeout(() => void [child.stdout.destroy(), child.stderr.destroy()], PIPES_MS));
    });
    child.on("close", (code, signal) => {
      if (code === 0 && !isLate) return settle(undefined);
      const how = isLate ? `did not end within ${timeoutMs / 1000} s` : `ended with ${signal ?? code}`;
      const words = lastLine(tail);
      settle(`the ${what} hook ${how}${words ? `: ${words}` : ""}`);
    });
  });
}

function endGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1)?.trim().slice(0, 500) ?? "";
}
