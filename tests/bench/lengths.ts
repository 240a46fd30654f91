// SPDX-License-Identifier: MIT
// What a copy's length changes: nothing, in the time for a byte and in memory. The drives answer after 10 ms, so that
// a short copy takes seconds, too; how much of a short copy is its two ends is told for drives that answer at once.
import type { Figure } from "./figures.ts";
import { inGuest, measuredCopy, type Shell } from "./programs.ts";
import { GIB, MIB } from "./same-bytes.ts";
import { inTurns, median, withSpread } from "./statistics.ts";

const SHORT_BYTES = 512 * MIB;
const LONG_BYTES = 8 * GIB;

interface Sample {
  readonly residentMiB: number;
  readonly msPerGiB: number;
}

export async function lengths(): Promise<Figure[]> {
  const { times, memory } = await compare(10_000_000, 32, 1);
  const atOnce = await compare(0, 8, 3);
  return [
    { name: "time per byte, 8 GiB to 512 MiB, 10 ms a command", required: { near: 0.05 }, ...times },
    { name: "peak memory, 8 GiB to 512 MiB", required: { near: 0.02 }, ...memory },
    { name: "  time per byte, 8 GiB to 512 MiB, zero latency", ...atOnce.times },
  ];
}

/** Short, long and short copies, so that drift hits both. */
function compare(latencyNs: number, depth: number, rounds: number) {
  return inGuest({ topology: "fast", latencyNs }, async (shell) => {
    await sample(shell, depth, SHORT_BYTES);
    const {
      before = [],
      long = [],
      after = [],
    } = await inTurns(rounds, {
      before: () => sample(shell, depth, SHORT_BYTES),
      long: () => sample(shell, depth, LONG_BYTES),
      after: () => sample(shell, depth, SHORT_BYTES),
    });
    const short = [...before, ...after];
    return {
      times: ratio(long, short, "ms/GiB", ({ msPerGiB }) => msPerGiB),
      memory: ratio(long, short, "MiB", ({ residentMiB }) => residentMiB),
    };
  });
}

async function sample(shell: Shell, depth: number, lengthBytes: number): Promise<Sample> {
  const words = `--via p2p --chunk 128K --depth ${depth} --length ${lengthBytes} /dev/lab/A /dev/lab/B`;
  const { receipt, usage } = await measuredCopy(shell, words);
  return {
    residentMiB: usage.maxResidentBytes / MIB,
    msPerGiB: receipt.transferMs / (lengthBytes / GIB),
  };
}

function ratio(
  long: readonly Sample[],
  short: readonly Sample[],
  unit: string,
  of: (sample: Sample) => number,
) {
  const [many, few] = [long.map(of), short.map(of)];
  return {
    value: median(many) / median(few),
    detail: `${withSpread(many, 1)} to ${withSpread(few, 1)} ${unit}`,
  };
}
