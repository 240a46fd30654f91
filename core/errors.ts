// SPDX-License-Identifier: MIT
import { ExitCode } from "./exit-codes.ts";

/** What went wrong, in a form that scripts can match. */
export type ErrorCode =
  | "USAGE"
  | "NOT_FOUND"
  | "NOT_COPYABLE"
  | "TOO_SMALL"
  | "MISALIGNED"
  | "OVERLAP"
  | "IN_USE"
  | "NOT_EMPTY"
  | "NO_PERMISSION"
  | "NO_P2PMEM"
  | "P2P_REFUSED"
  | "NOT_RESIDENT"
  | "COPY_FAILED"
  | "NO_IO_URING"
  | "BAD_CAPTURE"
  | "BAD_JOURNAL"
  | "BAD_PLAN"
  | "WRONG_IDENTITY"
  | "STOPPED"
  | "BAD_RANGES"
  | "DATA_DIFFER"
  | "INTERRUPTED";

export interface ErrorDetails {
  /** What the user can do next, one line. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** The journal that a copy can be resumed from. */
  readonly journal?: string;
}

/** An error meant for the user: a stable code, the process's exit code, and maybe a hint. */
export class P2pdmaError extends Error {
  override readonly name = "P2pdmaError";
  readonly hint: string | undefined;
  /** The journal that the copy can be resumed from; undefined where there is none. */
  readonly journal: string | undefined;

  constructor(
    readonly code: ErrorCode,
    readonly exitCode: ExitCode,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, { cause: details.cause });
    this.hint = details.hint;
    this.journal = details.journal;
  }
}

export function usageError(message: string, hint?: string): P2pdmaError {
  return new P2pdmaError("USAGE", ExitCode.usage, message, hint === undefined ? {} : { hint });
}

export function noPeerToPeer(code: ErrorCode, message: string, details: ErrorDetails = {}): P2pdmaError {
  return new P2pdmaError(code, ExitCode.noPeerToPeer, message, details);
}

export function refused(code: ErrorCode, message: string, details: ErrorDetails = {}): P2pdmaError {
  return new P2pdmaError(code, ExitCode.refused, message, details);
}
