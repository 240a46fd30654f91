// SPDX-License-Identifier: MIT
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Endpoint } from "../copy/endpoint.ts";
import type { CopyEnvironment } from "../copy/request.ts";
import { P2pdmaError, usageError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { differences, identityOf } from "../journal/identity.ts";
import { providersOf, readMachine } from "../topo/index.ts";
import { expandPlan, type JobPair } from "./expand.ts";
import { JobLock, JobStore, jobDigest, jobFolderOf, loadJob, newRecord, unfinishedJournal } from "./job.ts";
import type { JobFile, PairRecord } from "./job-file.ts";
import { settleLeftovers } from "./leftovers.ts";
import { isFinished } from "./outcome.ts";
import { type Plan, readPlan } from "./plan.ts";
import { PlanError, type Problem } from "./problems.ts";
import { type SurveyedPair, surveyPairs } from "./survey.ts";

export interface JobRequest {
  readonly planPath: string;
  /** Default: beside the plan. */
  readonly folder?: string | undefined;
  readonly resume: boolean;
  /** Forget a job that was there, and begin anew. */
  readonly restart: boolean;
  readonly acceptChangedPlan: boolean;
}

export interface PreparedJob {
  readonly plan: Plan;
  readonly pairs: readonly SurveyedPair[];
  readonly store: JobStore;
  readonly lock: JobLock;
}

/** Asks for leave to overwrite all of these; throws when there is none. */
export type Permit = (destinations: readonly Endpoint[]) => Promise<void>;

/** The plan and what is left of it to copy, looked at without touching anything. */
export async function previewJob(
  env: CopyEnvironment,
  request: JobRequest,
): Promise<readonly SurveyedPair[]> {
  const { plan, pairs } = loadPlan(request.planPath);
  const folder = folderOf(request);
  const job = request.resume ? existing(folder) : undefined;
  const store = new JobStore(folder, mergeJob(env, plan, pairs, job, request));
  return survey(env, plan, pairs, store);
}

/**
 * Everything up to the first byte: the plan, what is left of it, permission, the job's lock and its state on disk.
 * The caller releases the lock.
 * @throws PlanError, or P2pdmaError where the job is in use, missing, or there already
 */
export async function prepareJob(
  env: CopyEnvironment,
  request: JobRequest,
  permit: Permit,
  note: (text: string) => void,
): Promise<PreparedJob> {
  const { plan, pairs } = loadPlan(request.planPath);
  const folder = folderOf(request);
  if (request.resume) existing(folder);
  else refuseExisting(folder, request);
  if (!request.resume) await permit(destinationsOf(await survey(env, plan, pairs, freshStore())));
  const lock = JobLock.take(env, folder);
  try {
    if (!request.resume) refuseExisting(folder, request);
    const before = request.resume ? existing(folder) : undefined;
    if (before) await settleLeftovers(env.sys, new JobStore(folder, before), note);
    const store = new JobStore(folder, mergeJob(env, plan, pairs, before, request));
    const surveyed = await survey(env, plan, pairs, store);
    if (request.resume) await permit(destinationsOf(surveyed));
    await store.save();
    return { plan, pairs: surveyed, store, lock };
  } catch (error) {
    lock.release();
    throw error;
  }

  function freshStore(): JobStore {
    return new JobStore(folder, mergeJob(env, plan, pairs, undefined, request));
  }
}

function loadPlan(path: string): { plan: Plan; pairs: JobPair[] } {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new P2pdmaError("NOT_FOUND", ExitCode.usage, `Cannot read plan "${path}": ${code}`, { cause });
  }
  const plan = readPlan(text, path);
  return { plan, pairs: expandPlan(plan, dirname(resolve(path))) };
}

export function folderOf({ planPath, folder }: Pick<JobRequest, "planPath" | "folder">): string {
  return resolve(folder ?? jobFolderOf(planPath));
}

/** @throws P2pdmaError USAGE */
export function existing(folder: string): JobFile {
  const job = loadJob(folder);
  if (job) return job;
  throw usageError(`There is no job in "${folder}"`, "without --resume and --status, migrate begins one");
}

function refuseExisting(folder: string, { restart }: JobRequest): void {
  const job = restart ? undefined : loadJob(folder);
  if (!job) return;
  const open = job.pairs.filter((pair) => !isFinished(pair)).length;
  const state = open === 0 ? "is finished" : `has ${open} of ${job.pairs.length} copies to go`;
  throw usageError(
    `There is a job of this plan, which ${state}: "${folder}"`,
    open === 0 ? "--restart begins anew" : "--resume goes on with it, --restart begins anew",
  );
}

/** The job's state for this run: what an earlier one achieved is kept as long as the plan means the same. */
function mergeJob(
  { sys }: CopyEnvironment,
  plan: Plan,
  pairs: readonly JobPair[],
  before: JobFile | undefined,
  request: JobRequest,
): JobFile {
  const digest = jobDigest(pairs, plan.hooks);
  if (before && before.digest !== digest && !request.acceptChangedPlan) throw changedPlan(before, pairs);
  const known = new Map(before?.pairs.map((record) => [record.name, record]));
  const records = pairs.map((pair) => {
    const fresh = newRecord(pair);
    const old = known.get(pair.name);
    return old && old.digest === fresh.digest ? old : fresh;
  });
  const names = new Set(pairs.map(({ name }) => name));
  const gone = before?.pairs.filter((record) => !names.has(record.name) && isFinished(record)) ?? [];
  const now = new Date().toISOString();
  return {
    ...{ schema: "p2pdma.job/1", plan: resolve(request.planPath), digest },
    ...{ createdAt: before?.createdAt ?? now, startedAt: now, endedAt: null, runs: (before?.runs ?? 0) + 1 },
    ...{ exitCode: null, owedPost: before?.owedPost ?? null, problem: null },
    providers: providersOf(readMachine(sys)).flatMap(({ provider }) =>
      provider
        ? {
            ...{ bdf: provider.bdf, name: provider.name, availableAtEndBytes: null },
            availableAtStartBytes: provider.availableBytes.toString(),
          }
        : [],
    ),
    pairs: [...records, ...gone],
  };
}

function changedPlan(before: JobFile, pairs: readonly JobPair[]): P2pdmaError {
  const was = new Map(before.pairs.map(({ name, digest }) => [name, digest]));
  const is = new Map(pairs.map((pair) => [pair.name, newRecord(pair).digest]));
  const changes = [
    ...[...is].filter(([name]) => !was.has(name)).map(([name]) => `+${name}`),
    ...[...was].filter(([name]) => !is.has(name)).map(([name]) => `-${name}`),
    ...[...is]
      .filter(([name, digest]) => was.has(name) && was.get(name) !== digest)
      .map(([name]) => `~${name}`),
  ];
  const shown = changes.length > 8 ? [...changes.slice(0, 8), `and ${changes.length - 8} more`] : changes;
  return usageError(
    `The plan means something else than when the job began: ${shown.join(", ") || "its hooks"}`,
    "--accept-changed-plan goes on with the plan as it is now; pairs that changed are copied anew",
  );
}

/** @throws PlanError, with exit code 7 where a name leads to another drive than in the run before */
async function survey(
  env: CopyEnvironment,
  plan: Plan,
  pairs: readonly JobPair[],
  store: JobStore,
): Promise<readonly SurveyedPair[]> {
  const open = pairs.filter(({ name }) => !isFinished(store.record(name)));
  const journalOf = ({ name }: JobPair) => {
    const record = store.record(name);
    return unfinishedJournal(record, store.path(record.journal));
  };
  const found = await surveyPairs(env, plan.document, plan.limits, open, journalOf);
  const problems = found.pairs.flatMap((one) =>
    identityProblems(env, plan, one, store.record(one.pair.name)),
  );
  if (problems.length > 0) throw new PlanError(plan.document.file, problems);
  return found.pairs;
}

function identityProblems(
  env: CopyEnvironment,
  plan: Plan,
  one: SurveyedPair,
  record: PairRecord,
): Problem[] {
  const ends = [
    { key: "from", was: record.source, is: one.src },
    { key: "to", was: record.destination, is: one.dst },
  ];
  return ends.flatMap(({ key, was, is }) => {
    const [difference] = was?.kind === "block" ? differences(was, identityOf(env.sys, is)) : [];
    if (difference === undefined) return [];
    const path = [...one.pair.path, key];
    const message = `"${is.path}" is another device than when the job began: ${difference}`;
    return [{ path, place: plan.document.placeOf(path), message, exitCode: ExitCode.refused }];
  });
}

function destinationsOf(pairs: readonly SurveyedPair[]): Endpoint[] {
  return pairs.map(({ dst }) => dst);
}
