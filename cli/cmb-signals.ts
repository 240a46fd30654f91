// SPDX-License-Identifier: MIT
import { P2pdmaError } from "../core/errors.ts";
import { ExitCode } from "../core/exit-codes.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Signals that end a command, caught so that it can clean up. */
export interface CaughtSignals {
  /** Aborted by the first of them. */
  readonly abort: AbortSignal;
  /** Resolves with the first of them, and keeps the process alive until then. */
  wait(): Promise<void>;
  /** Gives an error of interruption the exit code of the signal that caused it. */
  translate(error: unknown): unknown;
  release(): void;
}

const FOREVER_MS = 2 ** 31 - 1;

/** Catches them from now on; release() gives them back. */
export function catchSignals(): CaughtSignals {
  const controller = new AbortController();
  let caught: NodeJS.Signals | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    caught ??= signal;
    controller.abort();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    abort: controller.signal,
    wait: () => waitFor(controller.signal),
    translate: (error) =>
      error instanceof P2pdmaError && error.code === "INTERRUPTED" && caught !== "SIGINT"
        ? new P2pdmaError("INTERRUPTED", ExitCode.terminated, error.message)
        : error,
    release: () => {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}

/** A handler alone does not keep the process alive, so a timer does. */
function waitFor(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setInterval(() => {}, FOREVER_MS);
    signal.addEventListener("abort", () => {
      clearInterval(timer);
      resolve();
    });
  });
}
