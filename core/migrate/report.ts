// SPDX-License-Identifier: MIT
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Receipt } from "../copy/receipt.ts";
import type { SystemView } from "../sysfs.ts";
import { readProgress, readReceipt, workerOf } from "./job.ts";
import type { JobFile, PairRecord, PairState } from "./job-file.ts";
import { nextStep } from "./outcome.ts";

/** One copy of a job as the report has it. Byte counts are decimal strings. */
export interface ReportedPair
  extends Omit<PairRecord, "digest" | "process" | "owedPost" | "journal" | "mapfile" | "receipt"> {
  /** What the running copy does now: copy, zero, rescue or verify. */
  readonly phase: string | null;
  /** While it runs; afterwards that of the whole transfer. */
  readonly bytesPerSecond: string | null;
  /** The pre hook was started, the post hook has not ended well. */
  readonly isPostOwed: boolean;
  /** What to do about it; null when there is nothing to do. */
  readonly next: string | null;
  /** Paths of what is there. */
  readonly files: { readonly journal: string | null; readonly mapfile: string | null };
  /** As `p2pdma copy --json` printed it; null for a copy that did not end well. */
  readonly receipt: Receipt | null;
}

/** A job at this moment: what `migrate --json`, `--status --json` and `--report FILE.json` show. */
export interface MigrateReport {
  readonly schema: "p2pdma.migrate/1";
  readonly plan: string;
  readonly folder: string;
  readonly digest: string;
  /** killed: it was running, and its process is gone. */
  readonly state: "running" | "ended" | "killed";
  readonly createdAt: string;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly runs: number;
  readonly exitCode: number | null;
  readonly problem: PairRecord["problem"];
  readonly isPostOwed: boolean;
  readonly totals: Readonly<Record<PairState, number>> & {
    readonly pairs: number;
    readonly bytesDone: string;
    readonly bytesTotal: string;
  };
  readonly providers: JobFile["providers"];
  readonly pairs: readonly ReportedPair[];
}

const STATES: readonly PairState[] = [
  ...(["waiting", "running", "done", "bad-ranges", "failed", "stopped", "skipped"] as const),
];

/** Puts together what is on disk about a job; needs no lock. */
export function makeReport(sys: SystemView, folder: string, job: JobFile): MigrateReport {
  const isAtWork = workerOf(sys, folder) !== undefined;
  const live = isAtWork ? readProgress(folder) : {};
  const resume = `p2pdma migrate ${quoted(job.plan)} --resume`;
  const sum = (field: "bytesDone" | "lengthBytes") =>
    pairs.reduce((total, pair) => total + BigInt(pair[field] ?? 0), 0n).toString();
  const pairs = job.pairs.map((record) => reportPair(folder, record, live[record.name], resume));
  const counts = STATES.map((state) => [state, pairs.filter((pair) => pair.state === state).length]);
  return {
    schema: "p2pdma.migrate/1",
    ...{ plan: job.plan, folder, digest: job.digest },
    state: job.endedAt !== null ? "ended" : isAtWork ? "running" : "killed",
    ...{ createdAt: job.createdAt, startedAt: job.startedAt, endedAt: job.endedAt, runs: job.runs },
    ...{ exitCode: job.exitCode, problem: job.problem, isPostOwed: job.owedPost !== null },
    totals: {
      ...(Object.fromEntries(counts) as Record<PairState, number>),
      ...{ pairs: pairs.length, bytesDone: sum("bytesDone"), bytesTotal: sum("lengthBytes") },
    },
    ...{ providers: job.providers, pairs },
  };
}

function reportPair(
  folder: string,
  record: PairRecord,
  live: ReturnType<typeof readProgress>[string] | undefined,
  resume: string,
): ReportedPair {
  const { digest: _digest, process: _process, owedPost, journal, mapfile, receipt: file, ...rest } = record;
  const there = (name: string) => (existsSync(join(folder, name)) ? join(folder, name) : null);
  const receipt =
    rest.state === "done" || rest.state === "bad-ranges" ? readReceipt(join(folder, file)) : null;
  const isRunning = rest.state === "running" && live !== undefined;
  return {
    ...rest,
    phase: isRunning ? live.phase : null,
    bytesDone: isRunning && live.phase === "copy" ? live.bytesDone : rest.bytesDone,
    bytesPerSecond: isRunning ? live.bytesPerSecond : rateOf(receipt),
    isPostOwed: owedPost !== null,
    next: nextStep(record, resume) ?? null,
    files: { journal: there(journal), mapfile: receipt?.mapfile ?? there(mapfile) },
    receipt,
  };
}

function rateOf(receipt: Receipt | null): string | null {
  if (!receipt || receipt.transferMs === 0) return null;
  const { peerToPeer, throughRam, withinDrive } = receipt.bytes;
  const moved = BigInt(peerToPeer) + BigInt(throughRam) + BigInt(withinDrive);
  return ((moved * 1000n) / BigInt(receipt.transferMs)).toString();
}

function quoted(path: string): string {
  return /^[\w./@:+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
