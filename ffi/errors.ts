// SPDX-License-Identifier: MIT
import { getSystemErrorMap } from "node:util";

/** A system call that failed: which, on what, and why. */
export class SyscallError extends Error {
  override readonly name = "SyscallError";
  /** Symbolic errno, for example `EREMOTEIO`. */
  readonly code: string;

  constructor(
    readonly syscall: string,
    /** Positive errno as the kernel gave it. */
    readonly errno: number,
    /** What the call worked on: a path, or words for a mapping. */
    readonly target: string,
  ) {
    super(`${syscall} "${target}": ${errnoName(errno)} (${errnoText(errno)})`);
    this.code = errnoName(errno);
  }
}

/** A shared library that the dynamic linker can't load. */
export class MissingLibraryError extends Error {
  override readonly name = "MissingLibraryError";

  constructor(
    readonly file: string,
    cause: unknown,
  ) {
    super(`Cannot load "${file}": ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Our own compiled part, which is not there or not for this machine. */
export class HelperError extends Error {
  override readonly name = "HelperError";
  /** Failed, as core/exit-codes.ts has it. */
  readonly exitCode = 1;

  constructor(
    message: string,
    readonly hint: string,
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}

/** Symbolic name of a positive errno, `errno 999` when the platform has none. */
export function errnoName(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[0] ?? `errno ${errno}`;
}

/** The platform's one-line text for a positive errno. */
export function errnoText(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[1] ?? "unknown error";
}
