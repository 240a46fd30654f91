// SPDX-License-Identifier: MIT
import { copy as copyWith } from "../copy/copy.ts";
import { type DryRun, dryRun } from "../copy/dry-run.ts";
import type { Endpoint } from "../copy/endpoint.ts";
import type { Receipt } from "../copy/receipt.ts";
import { resume as resumeWith } from "../copy/resume.ts";
import { mayWrite, noPermission, type WritePermission } from "../copy/safety.ts";
import { verdictOf } from "../copy/verdict.ts";
import { type VerifyReport, verifyOnly } from "../copy/verify-run.ts";
import { here } from "./environment.ts";
import {
  type CopyOptions,
  copyRequest,
  type ResumeOptions,
  resumeOverride,
  type VerifyOptions,
  verifyRequest,
} from "./options.ts";
import { type Running, run } from "./running.ts";

/**
 * What copy() would do with the same options: `p2pdma copy --dry-run --json`. Opens nothing for writing and takes no
 * memory. Why the copy would be refused is in `refusal`.
 * @throws P2pdmaError for what is wrong with the request itself, TypeError for an option that makes no sense
 */
export async function plan(options: CopyOptions): Promise<DryRun> {
  const { plan } = await dryRun(here, copyRequest(options), options.allowWrite ?? []);
  return plan;
}

/**
 * Copies, and answers with the receipt once the data are durable and, where asked for, verified.
 * It rejects with P2pdmaError or SyscallError, and with CopyOutcomeError, which has the receipt in it, when the copy
 * came to its end and data differ (DATA_DIFFER) or ranges are missing (BAD_RANGES). When a journal lets resume() go
 * on, the error's `journal` is its path.
 */
export function copy(options: CopyOptions): Running<Receipt> {
  const { signal, allowWrite } = { ...options };
  return run(
    signal,
    (hooks) => copyWith(here, copyRequest(options), { ...hooks, permit: permit(allowWrite) }),
    verdictOf,
  );
}

/**
 * Goes on with an interrupted copy: only what its journal does not claim is moved. Options that are not given stay
 * what they were. Drives are found by their identity, whatever their names are now.
 * @returns like copy(); undefined when the journal's copy is finished already
 */
export function resume(journal: string, options: ResumeOptions = {}): Running<Receipt | undefined> {
  return run(
    options.signal,
    (hooks) => {
      const override = resumeOverride(options);
      const acceptChangedSource = options.acceptChangedSource ?? false;
      const request = { journal, acceptChangedSource, override };
      return resumeWith(here, request, { ...hooks, permit: permit(options.allowWrite) });
    },
    (receipt) => receipt && verdictOf(receipt),
  );
}

/**
 * Compares two ranges and writes nothing: by the destination's drive where it can. That they differ is a result, in
 * `verification.equal`, not an error.
 */
export function verify(options: VerifyOptions): Running<VerifyReport> {
  const { signal } = { ...options };
  return run(signal, (hooks) => verifyOnly(here, verifyRequest(options), { ...hooks, permit: () => {} }));
}

function permit(allowWrite: WritePermission = []): (destination: Endpoint) => void {
  return (destination) => {
    if (!mayWrite(here.sys, destination, allowWrite)) throw noPermission(destination);
  };
}
