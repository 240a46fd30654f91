// SPDX-License-Identifier: MIT
// What verifying costs, and what holes save, against moving everything: ratios of one boot.
import { join } from "node:path";
import { packageRoot } from "../../lab/package-root.ts";
import { runInLab } from "../../lab/run.ts";

const program = `node ${join(packageRoot(), "dist", "p2pdma.js")}`;
const LENGTH = 512 << 20;
const FILE_BYTES = 256 << 20;
const DATA_MIB = 26;
const ROUNDS = 3;

interface Result {
  readonly transferMs?: number;
  readonly elapsedMs: number;
}

/** Runs the commands in turn, round after round, so that drift hits all; answers each one's median in ms. */
async function measure(topology: string, setUp: string, commands: readonly string[]): Promise<number[]> {
  const rounds = Array.from({ length: ROUNDS }, () => commands).flat();
  const script = [setUp, ...rounds.map((command) => `${program} ${command} && echo ,BREAK,`)].join(" && ");
  const { stdout, stderr, exitCode } = await runInLab({ topology, command: ["bash", "-c", script] });
  if (exitCode !== 0) throw new Error(`exit ${exitCode}\n${stdout}\n${stderr}`);
  const results = String(stdout)
    .split(",BREAK,")
    .slice(0, rounds.length)
    .map((text) => JSON.parse(text) as Result)
    .map(({ transferMs, elapsedMs }) => transferMs ?? elapsedMs);
  return commands.map((_, index) => median(results.filter((_ms, at) => at % commands.length === index)));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function table(title: string, names: readonly string[], times: readonly number[]): void {
  console.log(`\n${title}`);
  for (const [index, name] of names.entries()) {
    const ms = times[index] ?? Number.NaN;
    const share = (ms / (times[0] ?? Number.NaN)).toFixed(2);
    console.log(`  ${name.padEnd(44)} ${String(ms).padStart(7)} ms   ${share.padStart(6)}`);
  }
}

const range = `--json --length ${LENGTH} /dev/lab/A /dev/lab/B`;
table(
  `${LENGTH >> 20} MiB between two drives, peer-to-peer (topology fast): time, and share of the copy`,
  ["copy", "verify by the drive (NVMe Compare)", "verify through RAM, xxh3", "verify through RAM, sha256"],
  await measure("fast", "true", [
    `copy --via p2p --no-journal --allow-write ${range}`,
    `verify --via p2p ${range}`,
    `verify --hash xxh3 ${range}`,
    `verify --hash sha256 ${range}`,
  ]),
);

const makeFile = [
  "mkfs.ext4 -q /dev/lab/A && mkdir -p /mnt/a && mount /dev/lab/A /mnt/a",
  `truncate -s ${FILE_BYTES} /mnt/a/file`,
  `dd if=/dev/urandom of=/mnt/a/file bs=1M count=${DATA_MIB} seek=100 conv=notrunc status=none && sync`,
].join(" && ");
const copyFile = "copy --json --via p2p --no-journal --allow-write --overwrite filesystem";
table(
  `a file of ${FILE_BYTES >> 20} MiB with ${DATA_MIB} MiB of data to a drive, peer-to-peer (topology switch)`,
  ["move everything (--sparse never)", "recreate holes (--sparse auto)"],
  await measure("switch", makeFile, [
    `${copyFile} --sparse never /mnt/a/file /dev/lab/C`,
    `${copyFile} --sparse auto /mnt/a/file /dev/lab/C`,
  ]),
);
