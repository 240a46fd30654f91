// SPDX-License-Identifier: MIT
// Which seeds are what kind of run, and how they share boots and processors.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { PLANS_AT_ONCE } from "./bad-plan.ts";
import { runBadSectors } from "./bad-sectors.ts";
import { runCrashStates } from "./crash-states.ts";
import { runHostKill } from "./host.ts";
import { runLabKills } from "./lab-kill.ts";
import { CUTS_AT_ONCE, runPowerCuts } from "./power-cut.ts";
import type { RunKind, RunReport } from "./report.ts";

/** First and last seed of each kind: 200 runs, and the crash states of two more copies. */
export const SEEDS: Readonly<Record<RunKind, readonly [number, number]>> = {
  "host-kill": [1, 110],
  "lab-kill": [111, 140],
  "power-cut": [141, 176],
  "bad-sectors": [177, 200],
  "crash-states": [201, 202],
};

const AT_ONCE: Readonly<Record<RunKind, number>> = {
  "host-kill": 10,
  "lab-kill": 10,
  "power-cut": CUTS_AT_ONCE,
  "bad-sectors": PLANS_AT_ONCE,
  "crash-states": 1,
};

/** Boots and long ones first, so that two workers end together. */
const ORDER: readonly RunKind[] = ["lab-kill", "bad-sectors", "power-cut", "crash-states", "host-kill"];
const WORKERS = 2;

export interface Schedule {
  /** The bundle of p2pdma. */
  readonly program: string;
  readonly seeds: readonly number[];
  /** States of each copy of crash-states that are resumed. */
  readonly mostResumes: number;
  readonly onRun: (run: RunReport) => void;
}

export function kindOf(seed: number): RunKind {
  const found = ORDER.find((kind) => SEEDS[kind][0] <= seed && seed <= SEEDS[kind][1]);
  if (!found) throw new RangeError(`seed ${seed} is none of 1 to ${SEEDS["crash-states"][1]}`);
  return found;
}

export function seedsOf(kind: RunKind, most = Number.POSITIVE_INFINITY): number[] {
  const [first, last] = SEEDS[kind];
  return Array.from({ length: Math.min(most, last - first + 1) }, (_, n) => first + n);
}

/** Answers when all seeds have run; a run that could not be made throws. */
export async function runSchedule(schedule: Schedule): Promise<void> {
  // A real file system: direct I/O needs one.
  const root = mkdtempSync("/var/tmp/p2pdma-torture-");
  const groups = ORDER.flatMap((kind) => {
    const seeds = schedule.seeds.filter((seed) => kindOf(seed) === kind);
    const size = AT_ONCE[kind];
    const starts = seeds.flatMap((_, n) => (n % size === 0 ? [n] : []));
    return starts.map((start) => ({ kind, seeds: seeds.slice(start, start + size) }));
  });
  const work = async () => {
    for (let group = groups.shift(); group; group = groups.shift()) {
      const folder = join(root, String(group.seeds[0]));
      mkdirSync(folder);
      await runGroup(group.kind, group.seeds, folder, schedule);
      rmSync(folder, { recursive: true });
    }
  };
  try {
    await Promise.all(Array.from({ length: WORKERS }, work));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function runGroup(
  kind: RunKind,
  seeds: readonly number[],
  folder: string,
  { program, onRun, mostResumes }: Schedule,
): Promise<void> {
  if (kind === "lab-kill") return runLabKills(seeds, program, onRun);
  if (kind === "power-cut") return runPowerCuts(seeds, folder, program, onRun);
  if (kind === "bad-sectors") return runBadSectors(seeds, folder, program, onRun);
  for (const seed of seeds) {
    if (kind === "crash-states") await runCrashStates({ seed, folder, program, mostResumes }, onRun);
    else onRun(await runHostKill(seed, folder, [process.execPath, program]));
  }
}
