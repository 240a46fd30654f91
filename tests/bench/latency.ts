// SPDX-License-Identifier: MIT
// How close the pump comes to its bound, depth x chunk / (t_read + t_write), with t
// measured by fio at depth 1 on the same p2pmem in the same boot.
import type { Figure } from "./figures.ts";
import { ALLOCATE, inGuest, measuredCopy, parseFio, type Shell } from "./programs.ts";
import { inTurns, median, withSpread } from "./statistics.ts";

const CHUNK_BYTES = 128 << 10;
const LATENCY_NS = 10_000_000;
const ROUNDS = 3;
/** Enough for seconds of copying, since the first and the last chunk are alone in their direction. */
const CASES = [
  { depth: 8, lengthBytes: 768 * 2 ** 20, atLeast: 0.98 },
  { depth: 32, lengthBytes: 2304 * 2 ** 20, atLeast: 0.95 },
];

export async function latency(): Promise<Figure[]> {
  return inGuest({ topology: "fast", latencyNs: LATENCY_NS }, measure);
}

async function measure(shell: Shell): Promise<Figure[]> {
  const copies = Object.fromEntries(
    CASES.map(({ depth, lengthBytes }) => [
      `depth ${depth}`,
      async () => {
        const words = `--via p2p --chunk ${CHUNK_BYTES} --depth ${depth} --length ${lengthBytes}`;
        return (await measuredCopy(shell, `${words} /dev/lab/A /dev/lab/B`)).megabytesPerSecond;
      },
    ]),
  );
  const fioReads = Object.fromEntries(
    CASES.map(({ depth }) => [
      `fio, depth ${depth}`,
      async () => (await fio(shell, "read", "/dev/lab/A", depth)).read.bw_bytes / 1e6,
    ]),
  );
  const results = await inTurns(ROUNDS, {
    read: async () => (await fio(shell, "read", "/dev/lab/A", 1)).read.lat_ns.mean / 1e6,
    write: async () => (await fio(shell, "write", "/dev/lab/B", 1)).write.lat_ns.mean / 1e6,
    ...copies,
    ...fioReads,
  });
  const { read = [], write = [] } = results;
  console.log(
    `one request of 128 KiB alone (fio): read ${withSpread(read, 2)} ms, write ${withSpread(write, 2)} ms`,
  );
  const share = (speeds: readonly number[] = [], bound: number) => ({
    value: median(speeds) / bound,
    detail: `${withSpread(speeds, 1)} of ${bound.toFixed(1)} MB/s`,
  });
  return CASES.flatMap(({ depth, atLeast }) => {
    const bound = (ms: number) => (depth * CHUNK_BYTES) / ms / 1e3;
    const copied = share(results[`depth ${depth}`], bound(median(read) + median(write)));
    const justRead = share(results[`fio, depth ${depth}`], bound(median(read)));
    const name = `copy at 10 ms a command, 128 KiB, depth ${depth}: share of the bound`;
    return [
      { name, required: { atLeast }, ...copied },
      { name: `  fio only reading, depth ${depth}: share of depth x chunk / t_read`, ...justRead },
    ];
  });
}

async function fio(shell: Shell, direction: "read" | "write", device: string, depth: number) {
  const stdout = await shell.run(
    `fio --name=one --filename=${device} --rw=${direction} --bs=${CHUNK_BYTES} --iodepth=${depth} --direct=1 ` +
      `--ioengine=io_uring --mem=mmapshared:${ALLOCATE} --time_based --runtime=3 --ramp_time=1 --output-format=json`,
  );
  const [job] = parseFio(stdout);
  if (!job) throw new Error("fio ran no job");
  return job;
}
