// SPDX-License-Identifier: MIT

import { P2pdmaError } from "../core/errors.ts";
import { ExitCode } from "../core/exit-codes.ts";
import { SyscallError } from "../ffi/errors.ts";
import type { CliContext } from "./context.ts";

/** Prints an error for the user and answers the exit code; a stack trace only for what is our own fault. */
export function reportError(context: CliContext, error: unknown): number {
  if (error instanceof P2pdmaError || hasExitCode(error)) {
    context.err(`p2pdma: ${error.message}\n`);
    if (error.hint) context.err(`hint: ${error.hint}\n`);
    return error.exitCode;
  }
  if (error instanceof SyscallError) {
    context.err(`p2pdma: ${error.message}\n`);
    return ExitCode.failed;
  }
  context.err(
    `p2pdma: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return ExitCode.failed;
}

/** The exit code that an error leads to. */
export function exitCodeOf(error: unknown): number {
  return error instanceof P2pdmaError || hasExitCode(error) ? error.exitCode : ExitCode.failed;
}

/** The lab and the kernel build have error classes of their own, of the same shape. */
function hasExitCode(error: unknown): error is Error & { exitCode: number; hint?: string } {
  return error instanceof Error && "exitCode" in error && typeof error.exitCode === "number";
}
