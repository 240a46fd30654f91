// SPDX-License-Identifier: MIT
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { KernelBuildError } from "./errors.ts";

export interface LockOptions {
  /** Called once if somebody else holds the lock. */
  readonly onWait?: () => void;
  readonly signal?: AbortSignal;
}

/**
 * Runs `body` while holding a lock on `file`, waiting for it as long as it takes. The lock belongs to the open
 * file, so the system drops it with the last process that has it: one that was killed leaves none behind, and
 * the descriptor given to `body` keeps it for child processes that inherit it.
 */
export async function withLock<T>(
  file: string,
  options: LockOptions,
  body: (descriptor: number) => Promise<T>,
): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  const descriptor = openSync(file, "a");
  try {
    if (!(await flock(descriptor, ["--exclusive", "--nonblock"], options.signal))) {
      options.onWait?.();
      if (!(await flock(descriptor, ["--exclusive"], options.signal)))
        throw new KernelBuildError(`Cannot lock "${file}"`);
    }
    return await body(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** flock(1) locks the open file it inherits, which is ours: the lock stays when it exits. */
function flock(
  descriptor: number,
  flags: readonly string[],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn("flock", [...flags, "3"], {
      stdio: ["ignore", "ignore", "inherit", descriptor],
      ...(signal && { signal }),
    });
    child.once("error", (error) => reject(signal?.aborted ? (signal.reason as Error) : error));
    child.once("close", (status) => resolve(status === 0));
  });
}
