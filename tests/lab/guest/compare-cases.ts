// SPDX-License-Identifier: MIT
// Compare by the drive, over 64 MiB of two drives: run inside the lab of tests/lab/compare.test.ts.
import { CHUNK, type Comparison, compare, type Outcome } from "./compare-kit.ts";
import { drive, randomContent, readMedium, writeMedium } from "./media.ts";
import { check, expect } from "./report.ts";

const MIB = 1 << 20;
const LENGTH = 64 * MIB;
const LBA = 512;
const EIO = 5;
const EINVAL = 22;
const EILSEQ = 84;
const [a, b, c, d] = [drive("A"), drive("B"), drive("C"), drive("D")];
const FROM = BigInt(8 * MIB);
const TO = BigInt(128 * MIB);

const whole: Comparison = {
  ...{ source: a, destination: b, srcOffset: FROM, dstOffset: TO, lengthBytes: BigInt(LENGTH) },
  stages: "compare",
};

interface Way {
  readonly name: string;
  readonly over: Partial<Comparison>;
}

const ways: Way[] = [
  { name: "uring, destination's p2pmem", over: { provider: b } },
  { name: "ioctl, destination's p2pmem", over: { provider: b, viaIoctl: true } },
  { name: "uring, source's p2pmem", over: { provider: a } },
  { name: "uring, RAM", over: {} },
  { name: "ioctl, RAM", over: { viaIoctl: true } },
];

/** The same numbers for the same seed, everywhere (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function flip(atByte: number, bit: number, on = b, lbaBytes = LBA): void {
  const within = atByte % lbaBytes;
  const block = TO + BigInt(atByte - within);
  const content = readMedium(on.path, block, lbaBytes);
  content[within] = (content[within] ?? 0) ^ (1 << bit);
  writeMedium(on.path, block, content);
}

const show = ({ result, progress, errors }: Outcome) =>
  JSON.stringify({ result, progress, errors }, (_, value) =>
    typeof value === "bigint" ? String(value) : value,
  ).slice(0, 2000);

function expectEqual(outcome: Outcome, lengthBytes: number): void {
  const { result, progress } = outcome;
  expect(result === 0, show(outcome));
  expect(progress.chunksDone === BigInt(lengthBytes / CHUNK), show(outcome));
  expect(progress.bytesCompared === BigInt(lengthBytes), show(outcome));
  expect(progress.chunksDiffering === 0n && outcome.errors.length === 0, show(outcome));
}

/** One differing run, at these bytes of the range. */
function expectRun(outcome: Outcome, atByte: number, lengthBytes: number): void {
  const [error] = outcome.errors;
  expect(outcome.result === -EILSEQ && outcome.progress.chunksDiffering === 1n, show(outcome));
  expect(outcome.errors.length === 1 && error?.direction === "compare", show(outcome));
  expect(error?.errno === EILSEQ && error.lengthBytes === BigInt(lengthBytes), show(outcome));
  expect(error?.srcOffset === FROM + BigInt(atByte), `found ${error?.srcOffset}: ${show(outcome)}`);
  expect(error?.dstOffset === TO + BigInt(atByte), `found ${error?.dstOffset}: ${show(outcome)}`);
  expect(error?.chunk === BigInt(Math.floor(atByte / CHUNK)), show(outcome));
}

async function checkWay({ name, over }: Way): Promise<void> {
  const isIoctl = over.viaIoctl ?? false;
  await check(`${name}: equal data have no difference, nothing is written`, async () => {
    const outcome = await compare({ ...whole, ...over });
    expectEqual(outcome, LENGTH);
    expect(outcome.progress.bytesWritten === 0n, show(outcome));
    expect(outcome.progress.comparesByIoctl === isIoctl, `by ioctl: ${outcome.progress.comparesByIoctl}`);
  });
}

async function checkSeed(seed: number): Promise<void> {
  const next = random(seed);
  const place = { atByte: Math.floor(next() * LENGTH), bit: Math.floor(next() * 8) };
  const way = ways[seed % ways.length] as Way;
  const lba = place.atByte - (place.atByte % LBA);
  await check(`seed ${seed}: bit ${place.bit} of byte ${place.atByte} is found, ${way.name}`, async () => {
    flip(place.atByte, place.bit);
    try {
      expectRun(await compare({ ...whole, ...way.over }), lba, LBA);
    } finally {
      flip(place.atByte, place.bit);
    }
  });
}

async function main(): Promise<void> {
  for (let at = 0; at < LENGTH; at += 8 * MIB) writeMedium(a.path, FROM + BigInt(at), randomContent(8 * MIB));
  await check("inline: what was written is compared, through the destination's p2pmem", async () => {
    const outcome = await compare({ ...whole, stages: "copy+compare", provider: b });
    expectEqual(outcome, LENGTH);
    expect(outcome.progress.bytesWritten === BigInt(LENGTH), show(outcome));
    const [from, to] = [readMedium(a.path, FROM, 8 * MIB), readMedium(b.path, TO, 8 * MIB)];
    expect(from.equals(to), "the destination is not the source");
  });
  for (const way of ways) await checkWay(way);
  for (let seed = 1; seed <= 20; seed++) await checkSeed(seed);

  await check("neighbouring LBAs that differ are one run", async () => {
    for (const lba of [5001, 5002, 5003]) flip(lba * LBA + 7, 3);
    expectRun(await compare({ ...whole, provider: b }), 5001 * LBA, 3 * LBA);
    for (const lba of [5001, 5002, 5003]) flip(lba * LBA + 7, 3);
    expectEqual(await compare({ ...whole, provider: b }), LENGTH);
  });
  const small = { ...whole, lengthBytes: BigInt(2 * MIB) };
  await check("inline: a comparison in the wrong place fails in every chunk", async () => {
    for (const viaIoctl of [false, true]) {
      const over = { stages: "copy+compare", shiftBytes: BigInt(16 * MIB), viaIoctl } as const;
      const outcome = await compare({ ...small, ...over });
      expect(outcome.result === -EILSEQ && outcome.progress.chunksDiffering === 2n, show(outcome));
      const bytes = outcome.errors.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0n);
      expect(bytes === BigInt(2 * MIB), `${bytes} bytes differ`);
    }
  });
  await check("a drive without p2pmem compares with its peer's", async () => {
    const over = { destination: d, provider: a } as const;
    expectEqual(await compare({ ...small, ...over, stages: "copy+compare" }), 2 * MIB);
    expectEqual(await compare({ ...small, ...over }), 2 * MIB);
  });
  await check("LBAs of 4096 bytes: a flipped bit is located to such an LBA", async () => {
    for (const viaIoctl of [false, true]) {
      flip(300 * 4096 + 4095, 7, d, 4096);
      expectRun(await compare({ ...small, destination: d, viaIoctl }), 300 * 4096, 4096);
      flip(300 * 4096 + 4095, 7, d, 4096);
    }
  });
  await check("a bad sector of the destination is a failure, not a difference", async () => {
    for (const viaIoctl of [false, true]) {
      const outcome = await compare({ ...small, destination: c, stages: "copy+compare", viaIoctl });
      const [error] = outcome.errors;
      expect(outcome.result === -EIO && outcome.progress.chunksDiffering === 0n, show(outcome));
      expect(outcome.progress.chunksDone === 1n && outcome.progress.chunksFailed === 1n, show(outcome));
      expect(error?.direction === "compare" && error.errno === EIO, show(outcome));
      expect(error?.attempts === 2 && !error.isFatal && error.chunk === 1n, show(outcome));
    }
  });
  await check("a command that the kernel refuses is fatal, not a difference", async () => {
    for (const viaIoctl of [false, true]) {
      const outcome = await compare({ ...small, nsid: 99, viaIoctl });
      const [error] = outcome.errors;
      expect(outcome.result === -EIO && outcome.progress.chunksDiffering === 0n, show(outcome));
      expect(error?.errno === EINVAL && error.direction === "compare" && error.isFatal, show(outcome));
    }
  });
}

await main();
