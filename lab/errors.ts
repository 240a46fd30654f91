// SPDX-License-Identifier: MIT

export interface LabErrorDetails {
  /** What the user can do next, one line. */
  readonly hint?: string;
  /** 1 unless the user asked for something that cannot be: then 2. */
  readonly exitCode?: 1 | 2;
  readonly cause?: unknown;
}

/** The lab could not be built or booted, or died before its command ended. */
export class LabError extends Error {
  override readonly name = "LabError";
  readonly hint: string | undefined;
  readonly exitCode: 1 | 2;

  constructor(message: string, details: LabErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.hint = details.hint;
    this.exitCode = details.exitCode ?? 1;
  }
}

/** QEMU itself gave up, by an assertion of its own, before the guest was up. */
export class QemuAbort extends LabError {}

/** Wrong usage: found before anything was started. */
export function labUsageError(message: string, hint?: string): LabError {
  return new LabError(message, hint === undefined ? { exitCode: 2 } : { exitCode: 2, hint });
}

/** A guest that ended, hung or panicked: what happened, then the end of its console. */
export function guestError(message: string, console: readonly string[], hint?: string): LabError {
  const shown = console.slice(-30).map((line) => `  | ${line}`);
  const tail = shown.length > 0 ? ["", "the guest's console said last:", ...shown] : [];
  return new LabError([message, ...tail].join("\n"), hint === undefined ? {} : { hint });
}
