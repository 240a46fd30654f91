// SPDX-License-Identifier: MIT
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { isAlive, type Owner } from "../journal/owner.ts";
import type { SystemView } from "../sysfs.ts";
import { runHook } from "./hooks.ts";
import { type JobStore, readReceipt } from "./job.ts";
import type { JobFile, PairRecord } from "./job-file.ts";

const ORPHAN_DEADLINE_MS = 60_000;
const POLL_MS = 100;

/**
 * Puts in order what a run left that was killed: copies that go on without a parent are told to stop, pairs that were
 * running can be resumed, and post hooks that never ran, run.
 * @throws P2pdmaError IN_USE when a copy does not stop
 */
export async function settleLeftovers(
  sys: SystemView,
  store: JobStore,
  note: (text: string) => void,
): Promise<void> {
  const { job } = store;
  for (const record of job.pairs) await settlePair(sys, store, record, note);
  for (const record of job.pairs) await payHook(record, job, note);
  if (job.owedPost) {
    note("the job's post hook has not run: running it now");
    const { command, timeoutMs } = job.owedPost;
    const environment = { P2PDMA_PLAN: job.plan, P2PDMA_EXIT_CODE: String(ExitCode.stopped) };
    const problem = await runHook("job's post", command, environment, timeoutMs);
    if (problem) note(problem);
    else job.owedPost = null;
  }
  await store.save();
}

async function settlePair(
  sys: SystemView,
  store: JobStore,
  record: PairRecord,
  note: (text: string) => void,
): Promise<void> {
  const { process: owner, name } = record;
  if (owner && isAlive(sys, owner)) {
    note(`${name}: its copy is still at work (process ${owner.pid}); telling it to stop`);
    await endOrphan(sys, owner, name);
  }
  record.process = null;
  if (record.state !== "running") return;
  Object.assign(record, { endedAt: new Date().toISOString(), ...outcomeOf(store, record) });
}

/** A copy may have come to its end alone; then it left its receipt. */
function outcomeOf(store: JobStore, { receipt: file, lengthBytes }: PairRecord): Partial<PairRecord> {
  const receipt = readReceipt(store.path(file));
  if (!receipt) return { state: "stopped", problem: { message: "its run was killed", hint: null } };
  if (receipt.verification && !receipt.verification.equal) {
    const message = "the destination differs from the source after the copy";
    return { state: "failed", exitCode: ExitCode.dataDiffer, problem: { message, hint: null } };
  }
  const isWhole = receipt.badRanges.length === 0;
  return isWhole
    ? { state: "done", exitCode: ExitCode.done, bytesDone: lengthBytes ?? "0" }
    : { state: "bad-ranges", exitCode: ExitCode.badRanges };
}

async function endOrphan(sys: SystemView, owner: Owner, name: string): Promise<void> {
  process.kill(owner.pid, "SIGTERM");
  const deadline = performance.now() + ORPHAN_DEADLINE_MS;
  while (isAlive(sys, owner)) {
    if (performance.now() > deadline) {
      throw new P2pdmaError(
        "IN_USE",
        ExitCode.refused,
        `The copy of "${name}" does not stop: process ${owner.pid}`,
        { hint: "end it, then resume" },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function payHook(record: PairRecord, job: JobFile, note: (text: string) => void): Promise<void> {
  if (!record.owedPost) return;
  note(`${record.name}: its post hook has not run: running it now`);
  const environment = {
    ...{ P2PDMA_PLAN: job.plan, P2PDMA_PAIR: record.name },
    P2PDMA_SOURCE: record.source?.path ?? record.from,
    P2PDMA_DESTINATION: record.destination?.path ?? record.to,
    P2PDMA_EXIT_CODE: String(record.exitCode ?? ExitCode.stopped),
  };
  const problem = await runHook("post", record.owedPost.command, environment, record.owedPost.timeoutMs);
  if (problem) {
    note(`${record.name}: ${problem}`);
    record.problem = { message: problem, hint: null };
  } else {
    record.owedPost = null;
    if (record.state === "done") record.problem = null;
  }
}
