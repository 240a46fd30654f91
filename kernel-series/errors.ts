// SPDX-License-Identifier: MIT

export interface KernelBuildErrorDetails {
  /** What the user can do next, one line. */
  readonly hint?: string;
  /** 1, or 128 plus the signal that interrupted the build. */
  readonly exitCode?: 1 | 130 | 143;
  readonly cause?: unknown;
}

/** The kernel could not be built here, or the build was interrupted. */
export class KernelBuildError extends Error {
  override readonly name = "KernelBuildError";
  readonly hint: string | undefined;
  readonly exitCode: 1 | 130 | 143;

  constructor(message: string, details: KernelBuildErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.hint = details.hint;
    this.exitCode = details.exitCode ?? 1;
  }
}
