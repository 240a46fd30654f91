// SPDX-License-Identifier: MIT
// Against threads that each read and write one chunk at a time, as p2pmem-test does.
import type { Figure } from "./figures.ts";
import { ALLOCATE, inGuest, measuredCopy, parseFio, type Shell, threadsCopy } from "./programs.ts";
import { inTurns, ratioOf, withSpread } from "./statistics.ts";

const CHUNK_BYTES = 128 << 10;
const LENGTH_BYTES = 2 ** 31;
const THREADS = [1, 2, 4, 8];
const ROUNDS = 5;

export async function threads(): Promise<Figure[]> {
  return inGuest({ topology: "fast" }, measure);
}

async function measure(shell: Shell): Promise<Figure[]> {
  const copy = async (depth: string) => {
    const words = `--via p2p --chunk ${CHUNK_BYTES} ${depth} --length ${LENGTH_BYTES} /dev/lab/A /dev/lab/B`;
    return (await measuredCopy(shell, words)).megabytesPerSecond;
  };
  const results = await inTurns(ROUNDS, {
    p2pdma: () => copy(""),
    "p2pdma --depth 8": () => copy("--depth 8"),
    "fio, both ways": () => bothWays(shell),
    ...Object.fromEntries(THREADS.map((count) => [`${count} threads`, () => withThreads(shell, count)])),
  });
  for (const [name, speeds] of Object.entries(results)) {
    console.log(`${name.padEnd(18)} ${withSpread(speeds, 0).padStart(16)} MB/s`);
  }
  const best = bestOfEachRound(THREADS.map((count) => results[`${count} threads`] ?? []));
  const { p2pdma = [], "p2pdma --depth 8": eight = [] } = results;
  const detail = (ours: readonly number[]) => `${withSpread(ours, 0)} to ${withSpread(best, 0)} MB/s`;
  const name = "copy, zero latency, 128 KiB: throughput to the best of 1 to 8 threads";
  const ceiling = results["fio, both ways"] ?? [];
  return [
    { name, value: ratioOf(p2pdma, best), required: { atLeast: 1.3 }, detail: detail(p2pdma) },
    { name: `${name}, --depth 8`, value: ratioOf(eight, best), detail: detail(eight) },
    {
      name: "  share of what fio gets out of both drives, each in one direction",
      value: ratioOf(p2pdma, ceiling),
      detail: `${withSpread(p2pdma, 0)} of ${withSpread(ceiling, 0)} MB/s`,
    },
  ];
}

function bestOfEachRound(speeds: readonly (readonly number[])[]): number[] {
  return Array.from({ length: ROUNDS }, (_, round) =>
    Math.max(...speeds.map((of) => of[round] ?? Number.NaN)),
  );
}

async function withThreads(shell: Shell, count: number): Promise<number> {
  const words = `/dev/lab/A /dev/lab/B ${ALLOCATE} ${CHUNK_BYTES} ${count} ${LENGTH_BYTES}`;
  const said = await shell.run(`${threadsCopy} ${words}`);
  return Number(/([\d.]+) MB\/s/.exec(said)?.[1]);
}

/** One drive reads while the other writes, and neither waits for the other: more than any copy can move. */
async function bothWays(shell: Shell): Promise<number> {
  const stdout = await shell.run(
    `fio --bs=${CHUNK_BYTES} --iodepth=16 --direct=1 --ioengine=io_uring --mem=mmapshared:${ALLOCATE} ` +
      `--size=${LENGTH_BYTES} --name=read --rw=read --filename=/dev/lab/A ` +
      "--name=write --rw=write --filename=/dev/lab/B --output-format=json",
  );
  return LENGTH_BYTES / Math.max(...parseFio(stdout).map(({ job_runtime }) => job_runtime)) / 1e3;
}
