// SPDX-License-Identifier: MIT
import { ExitCode } from "../exit-codes.ts";
import type { ChildEnd } from "./child.ts";
import type { JobFile, PairRecord, PairState } from "./job-file.ts";

/** What an ended copy process means for its pair. */
export function stateAfter({ exitCode, signal }: Pick<ChildEnd, "exitCode" | "signal">): PairState {
  if (signal !== null || exitCode === null) return "stopped";
  switch (exitCode) {
    case ExitCode.done:
      return "done";
    case ExitCode.badRanges:
      return "bad-ranges";
    case ExitCode.stopped:
    case ExitCode.interrupted:
    case ExitCode.terminated:
      return "stopped";
    default:
      return "failed";
  }
}

/** True for a pair that others may come after, and that no resume touches again. */
export function isFinished({ state }: Pick<PairRecord, "state">): boolean {
  return state === "done" || state === "bad-ranges";
}

/** What a copy process said before it ended badly, as message and hint. */
export function problemOf({ exitCode, signal, lastWords }: ChildEnd): PairRecord["problem"] {
  const own = lastWords.findLast((line) => line.startsWith("p2pdma: "))?.slice("p2pdma: ".length);
  const hint = lastWords.findLast((line) => line.startsWith("hint: "))?.slice("hint: ".length) ?? null;
  if (signal) return { message: own ?? `the copy's process was ended by ${signal}`, hint };
  if (exitCode === ExitCode.done) return null;
  return { message: own ?? lastWords.at(-1) ?? `the copy ended with exit code ${exitCode}`, hint };
}

/** The exit code of a job that came to its end without being interrupted. */
export function exitCodeOf(job: JobFile): ExitCode {
  return job.owedPost === null ? exitCodeOfPairs(job) : ExitCode.stopped;
}

/** The same before the job's own post hook has run: what that is told. */
export function exitCodeOfPairs({ pairs, problem }: JobFile): ExitCode {
  const isOpen = pairs.some((pair) => !isFinished(pair) || pair.owedPost !== null);
  if (isOpen || problem !== null) return ExitCode.stopped;
  return pairs.some(({ state }) => state === "bad-ranges") ? ExitCode.badRanges : ExitCode.done;
}

/** What to do about a pair, for the report; undefined when there is nothing to do. */
export function nextStep(pair: PairRecord, resume: string): string | undefined {
  if (pair.owedPost) return `its post hook has not ended well: see to it, then ${resume}`;
  switch (pair.state) {
    case "stopped":
      return `${resume} goes on where it stopped`;
    case "failed":
      return `mend the cause, then ${resume} copies it anew`;
    case "skipped":
    case "waiting":
      return `${resume} copies it`;
    case "bad-ranges":
      return `the bad ranges are in its mapfile, which ddrescue reads`;
    default:
      return undefined;
  }
}
