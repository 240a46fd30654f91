// SPDX-License-Identifier: MIT
// What CPU time a copy costs, against fio reading the same bytes and writing them, and what changes with the length.
// CPU time is user and system time of whole processes, all threads. The copy's own is what 8 GiB take more than
// 512 MiB, so that the start of a program is in neither.
import type { Figure } from "./figures.ts";
import { inGuest, measured, measuredCopy, type Shell, type Usage } from "./programs.ts";
import { copyWords, DEPTH, fio, GIB, MIB, TUNED } from "./same-bytes.ts";
import { inTurns, median, ratioOf, withSpread } from "./statistics.ts";

const ROUNDS = 3;
const SHORT_BYTES = 512 * MIB;
const LONG_BYTES = 8 * GIB;

export async function cost(): Promise<Figure[]> {
  return inGuest({ topology: "fast" }, timeAndMemory);
}

interface Sample {
  readonly cpuMs: number;
  readonly residentBytes: number;
  readonly msPerGiB: number;
}

const cpuMs = ({ userMs, systemMs }: Usage) => userMs + systemMs;

async function copySample(shell: Shell, lengthBytes: number): Promise<Sample> {
  const { receipt, usage } = await measuredCopy(shell, copyWords(lengthBytes));
  const msPerGiB = receipt.transferMs / (lengthBytes / GIB);
  return { cpuMs: cpuMs(usage), residentBytes: usage.maxResidentBytes, msPerGiB };
}

/** Reads, then writes, as two programs. */
async function fioSample(shell: Shell, lengthBytes: number, more?: string): Promise<Sample> {
  const read = (await measured(shell, fio("read", lengthBytes, more))).usage;
  const write = (await measured(shell, fio("write", lengthBytes, more))).usage;
  const msPerGiB = (read.wallMs + write.wallMs) / (lengthBytes / GIB);
  return { cpuMs: cpuMs(read) + cpuMs(write), residentBytes: read.maxResidentBytes, msPerGiB };
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
    shortAgain = [],
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
    shortAgain: () => copySample(shell, SHORT_BYTES),
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
  const shorts = [...short, ...shortAgain];
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
    compareLengths(
      "time per byte, 8 GiB to 512 MiB",
      0.05,
      "ms/GiB",
      shorts,
      long,
      ({ msPerGiB }) => msPerGiB,
    ),
    compareLengths(
      "peak memory, 8 GiB to 512 MiB",
      0.02,
      "MiB",
      shorts,
      long,
      (sample) => sample.residentBytes / MIB,
    ),
  ];
}

function compareLengths(
  name: string,
  near: number,
  unit: string,
  short: readonly Sample[],
  long: readonly Sample[],
  of: (sample: Sample) => number,
): Figure {
  const [few, many] = [short.map(of), long.map(of)];
  const detail = `${withSpread(many, 1)} to ${withSpread(few, 1)} ${unit}`;
  return { name, value: median(many) / median(few), required: { near }, detail };
}
