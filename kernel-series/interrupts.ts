// SPDX-License-Identifier: MIT
import { KernelBuildError } from "./errors.ts";

const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 1 } as const;
type Interrupt = keyof typeof exitCodes;

/**
 * Runs `body` with a signal that is raised by SIGINT, SIGTERM, SIGHUP or `outer`; what it throws then says so.
 * The process goes on: its end is up to whoever started it.
 */
export async function withInterrupts<T>(
  outer: AbortSignal | undefined,
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const names = Object.keys(exitCodes) as Interrupt[];
  const onSignal = (name: NodeJS.Signals): void => controller.abort(interrupted(name as Interrupt));
  for (const name of names) process.on(name, onSignal);
  try {
    return await body(outer ? AbortSignal.any([controller.signal, outer]) : controller.signal);
  } finally {
    for (const name of names) process.off(name, onSignal);
  }
}

function interrupted(name: Interrupt): KernelBuildError {
  return new KernelBuildError(`${name} stopped the build`, {
    exitCode: exitCodes[name],
    hint: "building again goes on from there",
  });
}
