// SPDX-License-Identifier: MIT
import { setTimeout as delay } from "node:timers/promises";
import { type MemoryPass, SyscallError } from "../../ffi/index.ts";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";

const POLL_MS = 100;

export interface PassWatch {
  /** Ends the pass when aborted. */
  readonly abort?: AbortSignal | undefined;
  /** Told several times a second how far it is. */
  readonly onBytes?: ((bytes: bigint) => void) | undefined;
}

/** Follows a pass over memory to its end. @throws P2pdmaError INTERRUPTED when it was aborted. */
export async function followPass(pass: MemoryPass, { abort, onBytes }: PassWatch): Promise<void> {
  const cancel = () => pass.cancel();
  if (abort?.aborted) cancel();
  abort?.addEventListener("abort", cancel);
  const ended = new AbortController();
  const polling = onBytes && poll(pass, onBytes, ended.signal);
  try {
    await pass.done;
  } catch (error) {
    if (error instanceof SyscallError && error.code === "ECANCELED") throw interrupted();
    throw error;
  } finally {
    ended.abort();
    await polling;
    abort?.removeEventListener("abort", cancel);
  }
  onBytes?.(pass.bytesDone());
}

export function interrupted(): P2pdmaError {
  return new P2pdmaError(
    "INTERRUPTED",
    ExitCode.interrupted,
    "Interrupted before all memory was worked through",
  );
}

async function poll(pass: MemoryPass, onBytes: (bytes: bigint) => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    onBytes(pass.bytesDone());
    await delay(POLL_MS, undefined, { signal }).catch(() => {});
  }
}
