// SPDX-License-Identifier: MIT
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { isResumable } from "./faults.ts";
import { type JournalKeeper, reasonOf } from "./keeper.ts";
import type { CopyHooks } from "./request.ts";

/** The journal's last word on a copy that failed, and the error that tells of it. */
export async function conclude(
  error: unknown,
  keeper: JournalKeeper | undefined,
  hooks: Pick<CopyHooks, "warn">,
): Promise<unknown> {
  if (!keeper) return withoutJournal(error);
  try {
    await keeper.end("stopped");
  } catch (problem) {
    hooks.warn(`the journal claims nothing of what was copied last: ${reasonOf(problem)}`);
  }
  if (!isResumable(error)) return error;
  const isOurs = error instanceof P2pdmaError && error.code !== "COPY_FAILED";
  const [code, exit] = isOurs ? [error.code, error.exitCode] : (["STOPPED", ExitCode.stopped] as const);
  const hint = `p2pdma resume ${keeper.path} goes on from there`;
  return new P2pdmaError(code, exit, error.message, { hint, cause: error, journal: keeper.path });
}

/** Exit code 6 promises that the copy can go on. */
function withoutJournal(error: unknown): unknown {
  if (!(error instanceof P2pdmaError) || error.exitCode !== ExitCode.stopped) return error;
  return new P2pdmaError(error.code, ExitCode.failed, error.message, { cause: error });
}
