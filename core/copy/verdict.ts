// SPDX-License-Identifier: MIT
import { type ErrorCode, P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import type { Receipt } from "./receipt.ts";

/** A copy came to its end, and is still not what was wanted: DATA_DIFFER or BAD_RANGES. */
export class CopyOutcomeError extends P2pdmaError {
  constructor(
    code: ErrorCode,
    exitCode: ExitCode,
    message: string,
    hint: string | undefined,
    /** What was done, with the differing or bad ranges. */
    readonly receipt: Receipt,
  ) {
    const { journal } = receipt;
    super(code, exitCode, message, { ...(hint && { hint }), ...(journal && { journal }) });
  }
}

/** What is wrong with a finished copy; undefined when nothing is. */
export function verdictOf(receipt: Receipt): CopyOutcomeError | undefined {
  const { source, destination, verification, badRanges, mapfile } = receipt;
  if (verification && !verification.equal) {
    const [first] = verification.differing;
    const where = first ? `, first at byte ${first.dstOffset} (${first.lengthBytes} bytes)` : "";
    const what = `"${destination.path}" differs from "${source.path}" after the copy${where}`;
    return new CopyOutcomeError("DATA_DIFFER", ExitCode.dataDiffer, what, undefined, receipt);
  }
  if (badRanges.length === 0) return undefined;
  const bytes = badRanges.reduce((sum, { lengthBytes }) => sum + BigInt(lengthBytes), 0n);
  const what = `${bytes} bytes in ${badRanges.length} ranges of "${source.path}" could not be copied`;
  const hint = mapfile ? `they are listed in ${mapfile}` : undefined;
  return new CopyOutcomeError("BAD_RANGES", ExitCode.badRanges, what, hint, receipt);
}
