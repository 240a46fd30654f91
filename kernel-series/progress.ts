// SPDX-License-Identifier: MIT
import { SingleBar } from "cli-progress";

/** Shows how far a build has come. */
export interface Progress {
  /** `part` of the whole, 0 to 1. */
  update(stage: string, part: number): void;
  /** Leaves the terminal as it was; calling it again is harmless. */
  stop(): void;
}

export interface ProgressOptions {
  readonly output?: NodeJS.WriteStream | NodeJS.WritableStream;
  readonly now?: () => number;
}

const lineEveryMs = 15_000;

/** A plain line now and then that tells the stage: for work whose whole nobody knows. */
export function createTicker({ output = process.stderr, now = Date.now }: ProgressOptions = {}): Progress {
  return plainLines(output, undefined, now);
}

/** A bar on a terminal, else a plain line now and then. */
export function createProgress({ output = process.stderr, now = Date.now }: ProgressOptions = {}): Progress {
  const left = timeLeft(now);
  return "isTTY" in output && output.isTTY ? bar(output, left) : plainLines(output, left, now);
}

function bar(output: NodeJS.WritableStream, left: (part: number) => string): Progress {
  const single = new SingleBar({
    stream: output,
    format: "kernel [{bar}] {percentage}%  {stage}  {left}",
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: false,
  });
  single.start(1000, 0, { stage: "starting", left: "" });
  return {
    update: (stage, part) => single.update(Math.floor(part * 1000), { stage, left: left(part) }),
    stop: () => single.stop(),
  };
}

function plainLines(
  output: NodeJS.WritableStream,
  left: ((part: number) => string) | undefined,
  now: () => number,
): Progress {
  let last = Number.NEGATIVE_INFINITY;
  return {
    update(stage, part) {
      const eta = left?.(part);
      if (now() - last < lineEveryMs) return;
      last = now();
      const percent = left ? `${Math.floor(part * 100)}% ` : "";
      output.write(`kernel: ${percent}${stage}${eta ? `, ${eta}` : ""}\n`);
    },
    stop() {},
  };
}

/** Guesses from the speed since the first call: a build that is taken up again does not start at 0. */
function timeLeft(now: () => number): (part: number) => string {
  let first: { part: number; ms: number } | undefined;
  return (part) => {
    first ??= { part, ms: now() };
    const ms = now() - first.ms;
    if (ms < 5000 || part <= first.part) return "";
    return `about ${formatSeconds(((1 - part) * ms) / (part - first.part) / 1000)} left`;
  };
}

function formatSeconds(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  return whole < 90 ? `${whole} s` : `${Math.round(whole / 60)} min`;
}
