// SPDX-License-Identifier: MIT
// Copies of files on the host, killed and resumed: the fast part.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { randomOf } from "../unit/random.ts";
import { CopyEnds } from "./ends.ts";
import { type KillRun, runKilled } from "./kill-run.ts";
import type { RunReport } from "./report.ts";

const KIB = 1024;
const BLOCK = 4096;

export async function runHostKill(
  seed: number,
  folder: string,
  program: readonly string[],
): Promise<RunReport> {
  const random = randomOf(seed);
  const [source, destination, journal] = ["source", "destination", "journal"].map((name) =>
    join(folder, `${seed}-${name}`),
  ) as [string, string, string];
  // Half of them end inside a block.
  const lengthBytes = (256 + random(1024)) * 8 * KIB + random(2) * random(BLOCK);
  const chunkKiB = 4 << random(6);
  const movingMs = 200 + random(500);
  const ends = new CopyEnds(
    seed,
    { path: source, offset: random(4) * BLOCK },
    { path: destination, offset: random(4) * BLOCK },
    lengthBytes,
  );
  const shaping = ["--rate", String(Math.ceil((lengthBytes * 1000) / movingMs))];
  const checkpoint = ["--checkpoint", `${20 + random(150)}ms`];
  const engine = random(6) === 0 ? ["--engine", "sync"] : ["--depth", String(1 << random(5))];
  const run: KillRun = {
    ...{ seed, kind: "host-kill", program, ends, journal, mostKills: 3, movingMs },
    options: ["--via", "ram", "--chunk", `${chunkKiB}K`, ...engine, ...shaping, ...checkpoint],
    resumeOptions: shaping,
  };
  try {
    return await runKilled(run, random);
  } finally {
    for (const path of [source, destination, journal]) rmSync(path, { force: true });
  }
}
