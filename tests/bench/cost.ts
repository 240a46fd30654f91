// SPDX-License-Identifier: MIT
// What CPU time a copy costs, against fio reading the same bytes and writing them: user and system time of whole
// processes, all threads. The copy's own is what 8 GiB take more than 512 MiB, so that the start of a program is in
// neither.
import type { Figure } from "./figures.ts";
import { inGuest, measured, measuredCopy, type Shell, type Usage } from "./programs.ts";
import { copyWords, DEPTH, fio, GIB, MIB, TUNED } from "./same-bytes.ts";
import { inTurns, ratioOf, withSpread } from "./statistics.ts";

const ROUNDS = 3;
const SHORT_BYTES = 512 * MIB;
const LONG_BYTES = 8 * GIB;

export async function cost(): Promise<Figure[]> {
  return inGuest({ topology: "fast" }, timeAndMemory);
}

interface Sample {
  readonly cpuMs: number;
}

const cpuMs = ({ userMs, systemMs }: Usage) => userMs + systemMs;

async function copySample(shell: Shell, lengthBytes: number): Promise<Sample> {
  const { usage } = await measuredCopy(shell, copyWords(lengthBytes));
  return { cpuMs: cpuMs(usage) };
}

/** Reads, then writes, as two programs. */
async function fioSample(shell: Shell, lengthBytes: number, more?: string): Promise<Sample> {
  const read = (await measured(shell, fio("read", lengthBytes, more))).usage;
  const write = (await measured(shell, fio("write", lengthBytes, more))).usage;
  return { cpuMs: cpuMs(read) + cpuMs(write) };
}

/** Of the copy alone, and of the whole program with a long copy; per GiB. */
function perGiB(short: readonly Sample[], long: readonly Sample[]) {
  const marginal = long.map(
    ({ cpuMs }, round) => (cpuMs - (short[round]?.cpuMs ?? Number.NaN)) / ((LONG_BYTES - SHORT_BYTES) / GIB),
  );
  return { marginal, whole: long.map(({ cpuMs }) => cpuMs / (LONG_BYTES / GIB)) };
}

async function timeAndMemory(shell: Shell): Promise<Figure[]> {
  // An emulator translates code when it first meets it.
  await copySample(shell, SHORT_BYTES);
  await fioSample(shell, SHORT_BYTES);
  const {
    short = [],
    long = [],
    fioShort = [],
    fioLong = [],
    tunedShort = [],
    tunedLong = [],
  } = await inTurns(ROUNDS, {
    short: () => copySample(shell, SHORT_BYTES),
    fioShort: () => fioSample(shell, SHORT_BYTES),
    long: () => copySample(shell, LONG_BYTES),
    fioLong: () => fioSample(shell, LONG_BYTES),
    tunedShort: () => fioSample(shell, SHORT_BYTES, TUNED),
    tunedLong: () => fioSample(shell, LONG_BYTES, TUNED),
  });
  const [ours, theirs, tuned] = [
    perGiB(short, long),
    perGiB(fioShort, fioLong),
    perGiB(tunedShort, tunedLong),
  ];
  for (const [name, figures] of Object.entries({
    p2pdma: ours,
    "fio, read + write": theirs,
    "fio, tuned": tuned,
  })) {
    const [copy, whole] = [withSpread(figures.marginal, 0), withSpread(figures.whole, 0)];
    console.log(`${name.padEnd(18)} CPU per GiB ${copy} ms; 8 GiB with the program's start: ${whole} ms`);
  }
  const versus = (a: readonly number[], b: readonly number[]) =>
    `${withSpread(a, 0)} to ${withSpread(b, 0)} ms`;
  return [
    {
      name: `CPU time per GiB, 128 KiB, depth ${DEPTH}: to fio's`,
      value: ratioOf(ours.marginal, theirs.marginal),
      required: { atMost: 1 },
      detail: versus(ours.marginal, theirs.marginal),
    },
    {
      name: "  the same to fio with every saving switched on",
      value: ratioOf(ours.marginal, tuned.marginal),
      detail: versus(ours.marginal, tuned.marginal),
    },
    {
      name: "  the same, whole programs with 8 GiB, start and end included",
      value: ratioOf(ours.whole, theirs.whole),
      detail: versus(ours.whole, theirs.whole),
    },
  ];
}
