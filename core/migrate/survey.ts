// SPDX-License-Identifier: MIT
import { type Endpoint, readSource } from "../copy/endpoint.ts";
import { prepare } from "../copy/prepare.ts";
import type { CopyRange } from "../copy/range.ts";
import type { CopyEnvironment } from "../copy/request.ts";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import type { Journal } from "../journal/journal.ts";
import { providersOf, readMachine } from "../topo/index.ts";
import { findConflicts, readRegion, writeRegion } from "./conflicts.ts";
import type { PlanDocument } from "./document.ts";
import type { JobPair } from "./expand.ts";
import type { Limits } from "./plan.ts";
import { PlanError, type Problem } from "./problems.ts";
import { requestOf } from "./request.ts";
import { type PlannedRoute, planPairRoute } from "./route.ts";
import type { Demand } from "./schedule.ts";

/** A copy of the job that could start as far as can be known. */
export interface SurveyedPair {
  readonly pair: JobPair;
  readonly src: Endpoint;
  readonly dst: Endpoint;
  readonly range: CopyRange;
  readonly route: PlannedRoute;
  readonly demand: Demand;
}

/** Free p2pmem by provider, in bytes. */
export type FreeMemory = ReadonlyMap<string, bigint>;

export interface Survey {
  readonly pairs: readonly SurveyedPair[];
  readonly free: FreeMemory;
}

/**
 * Looks at every end, range and route before anything runs, and touches nothing.
 * @param pairs those that are still to be copied
 * @param journalOf what an earlier attempt at a pair wrote down, if this one goes on from there
 * @throws PlanError with all that speaks against the plan
 */
export async function surveyPairs(
  env: CopyEnvironment,
  document: PlanDocument,
  limits: Limits,
  pairs: readonly JobPair[],
  journalOf: (pair: JobPair) => Journal | undefined,
): Promise<Survey> {
  const machine = readMachine(env.sys);
  const free = new Map(
    providersOf(machine).flatMap(({ provider }) =>
      provider ? [[provider.bdf as string, provider.availableBytes] as const] : [],
    ),
  );
  const capacityOf = (provider: string) => smaller(free.get(provider) ?? 0n, limits.perProviderBytes);
  const problems: Problem[] = [];
  const surveyed: SurveyedPair[] = [];
  for (const pair of pairs) {
    try {
      const ends = await prepareEnds(env, pair, journalOf);
      const route = planPairRoute(machine, ends.request, ends, capacityOf);
      surveyed.push({ pair, ...ends, route, demand: demandOf(pair, ends, route) });
    } catch (error) {
      problems.push(problemOf(document, pair, error));
    }
  }
  problems.push(...conflictProblems(document, surveyed));
  if (problems.length > 0) throw new PlanError(document.file, problems);
  return { pairs: surveyed, free };
}

/** Permission is asked for later, for all of them at once; the copy itself says the rest. */
const SILENT = { permit: () => {}, warn: () => {} };

/** What a problem is said of: an error of the source stands at `from`, any other at `to`. */
class SourceProblem {
  constructor(readonly cause: unknown) {}
}

async function prepareEnds(
  env: CopyEnvironment,
  pair: JobPair,
  journalOf: (pair: JobPair) => Journal | undefined,
) {
  const request = requestOf(pair);
  try {
    readSource(env.sys, env.native, request.source);
  } catch (error) {
    throw new SourceProblem(error);
  }
  const ends = await prepare(env, request, SILENT, journalOf(pair));
  return { request, ...ends };
}

function demandOf(
  { name, after }: JobPair,
  { src, dst }: { src: Endpoint; dst: Endpoint },
  { provider, stagingBytes, uplinks }: PlannedRoute,
): Demand {
  const devices = [src, dst].flatMap(({ device }) => (device ? [device.client ?? device.disk] : []));
  return {
    ...{ name, after, uplinks },
    memory: provider ? { provider: provider.bdf, bytes: stagingBytes } : undefined,
    devices: [...new Set(devices)],
    exclusive: dst.kind === "block" ? dst.device?.disk : dst.path,
  };
}

function conflictProblems(document: PlanDocument, surveyed: readonly SurveyedPair[]): Problem[] {
  const byName = new Map(surveyed.map((one) => [one.pair.name, one]));
  const claims = surveyed.map(({ pair, src, dst, range }) => ({
    ...{ name: pair.name, after: pair.after, reads: readRegion(src, range) },
    writes: writeRegion(dst, range, pair.options.seek !== undefined),
  }));
  return findConflicts(claims).flatMap(({ first, second, kind }) => {
    const [one, other] = [byName.get(first), byName.get(second)];
    if (!one || !other) return [];
    const path = [...other.pair.path, kind === "write-read" ? "from" : "to"];
    const message = CONFLICT_WORDS[kind](first, second);
    return [{ path, place: document.placeOf(path), message, exitCode: ExitCode.usage, hint: CONFLICT_HINT }];
  });
}

const CONFLICT_HINT = "say with after: which comes first";
const CONFLICT_WORDS = {
  "write-write": (first: string, second: string) => `"${second}" and "${first}" write to the same bytes`,
  "write-read": (first: string, second: string) => `"${second}" reads what "${first}" writes`,
  "read-write": (first: string, second: string) => `"${second}" writes what "${first}" reads`,
} as const;

function problemOf(document: PlanDocument, pair: JobPair, error: unknown): Problem {
  const isSource = error instanceof SourceProblem;
  const cause = isSource ? error.cause : error;
  if (!(cause instanceof P2pdmaError)) throw cause;
  const path = [...pair.path, isSource ? "from" : "to"];
  const { exitCode } = cause;
  return {
    ...{ path, place: document.placeOf(path), message: cause.message, hint: cause.hint },
    exitCode: exitCode === ExitCode.refused || exitCode === ExitCode.noPeerToPeer ? exitCode : ExitCode.usage,
  };
}

function smaller(a: bigint, b: bigint | undefined): bigint {
  return b === undefined || a < b ? a : b;
}
