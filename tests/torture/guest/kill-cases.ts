// SPDX-License-Identifier: MIT
// Runs inside the lab: copies between drives whose process is killed at random moments.
import { drive } from "../../lab/guest/media.ts";
import { randomOf } from "../../unit/random.ts";
import { CopyEnds } from "../ends.ts";
import { runKilled } from "../kill-run.ts";

const KIB = 1024;
const [program, ...seeds] = process.argv.slice(2) as [string, ...string[]];
const [a, b, c] = [drive("A").path, drive("B").path, drive("C").path];
/** A and B have memory to lend, C has none. */
const PAIRS = [
  [a, b],
  [b, a],
  [a, c],
  [c, b],
] as const;

for (const seed of seeds.map(Number)) {
  const random = randomOf(seed);
  const [source = a, destination = b] = PAIRS[random(PAIRS.length)] ?? [];
  const lengthBytes = (128 + random(640)) * 4 * KIB + random(2) * 512 * random(8);
  const chunkKiB = 4 << random(6);
  const movingMs = 500 + random(1500);
  const offset = () => random(1024) * 64 * KIB + 4096;
  const ends = new CopyEnds(
    seed,
    { path: source, offset: offset() },
    { path: destination, offset: offset() },
    lengthBytes,
  );
  const rate = ["--rate", String(Math.ceil((lengthBytes * 1000) / movingMs))];
  const shaping = [...rate, "--allow-write"];
  const engine = random(6) === 0 ? ["--engine", "sync"] : ["--depth", String(1 << random(5))];
  const verify = random(4) === 0 ? ["--verify=inline"] : [];
  const report = await runKilled(
    {
      ...{ seed, kind: "lab-kill", program: [process.execPath, program], ends, mostKills: 2, movingMs },
      journal: `/run/p2pdma/${seed}.journal`,
      options: [
        ...["--via", "p2p", "--chunk", `${chunkKiB}K`, "--checkpoint", `${50 + random(400)}ms`],
        ...[...engine, ...verify, ...shaping],
      ],
      resumeOptions: shaping,
    },
    random,
  );
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
