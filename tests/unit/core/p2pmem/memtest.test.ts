// SPDX-License-Identifier: MIT
// The memory test on ordinary RAM, with faults put into it: a test that can't fail proves nothing.
import { randomBytes } from "node:crypto";
import { constants, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  bytesToMove,
  CPU_PATTERNS,
  type CpuPattern,
  type MemoryTestPlan,
  testMemory,
} from "../../../../core/p2pmem/memtest.ts";
import { cutWindows, type DmaClient, differences } from "../../../../core/p2pmem/memtest-dma.ts";
import type { TestPiece } from "../../../../core/p2pmem/memtest-log.ts";
import { parsePattern, parseSeed } from "../../../../core/p2pmem/memtest-pattern.ts";
import { type Mapping, type MemoryRange, type Native, native, O_DIRECT } from "../../../../ffi/index.ts";
import { tempFolder } from "../../temp.ts";

const PIECE_BYTES = 512 * 1024;
const BLOCK = 4096;
const MEDIUM_BYTES = 2 << 20;

const pieces: TestPiece[] = [0, 1].map((number) => ({
  mapping: native.mapRam(PIECE_BYTES),
  base: BigInt(number * PIECE_BYTES),
}));
const [first, second] = pieces.map(({ mapping }) => mapping) as [Mapping, Mapping];

const path = join(tempFolder("memtest"), "medium");
writeFileSync(path, randomBytes(MEDIUM_BYTES));
const file = native.open(path, constants.O_RDWR | O_DIRECT);
const client: DmaClient = { file, sizeBytes: BigInt(MEDIUM_BYTES), blockBytes: BLOCK };

function planOf(patterns: readonly CpuPattern[], over: Partial<MemoryTestPlan> = {}): MemoryTestPlan {
  return { patterns, client: undefined, seed: 1n, passes: 1, ...over };
}

const byDma = planOf([], { client });

function rangeOf(mapping: Mapping, offsetBytes: number, lengthBytes = 8): MemoryRange {
  return { mapping, offsetBytes, lengthBytes };
}

/** Memory in which a word is broken each time after it was filled. */
function breaking(mapping: Mapping, offsetBytes: number, change: (word: bigint) => bigint): Native {
  const damage = async () => {
    const word = await native.readMemory(rangeOf(mapping, offsetBytes));
    word.writeBigUInt64LE(BigInt.asUintN(64, change(word.readBigUInt64LE())));
    await native.writeMemory(rangeOf(mapping, offsetBytes), word);
  };
  return {
    ...native,
    startFill: (range, pattern) => {
      const pass = native.startFill(range, pattern);
      return range.mapping === mapping ? { ...pass, done: pass.done.then(damage) } : pass;
    },
  };
}

/** A drive whose transfers into a window come out as this makes them. */
function misreading(damage: (range: MemoryRange, offset: bigint) => number): Native {
  return { ...native, readFully: (_, range, offset) => damage(range, offset) };
}

test("testMemory() finds good memory good, by all patterns and by DMA", async () => {
  const plan = planOf(CPU_PATTERNS, { client, passes: 2 });
  const seen: bigint[] = [];
  const result = await testMemory(native, pieces, plan, undefined, { onBytes: (bytes) => seen.push(bytes) });
  assert.equal([result.badWords, result.badRanges, result.bad], [0n, 0n, []]);
  assert.is(result.isComplete, true);
  assert.equal(
    result.steps.map((step) => `${step.test} ${step.pass}`),
    [1, 2].flatMap((pass) => [...CPU_PATTERNS, "dma"].map((name) => `${name} ${pass}`)),
  );
  assert.is(result.dma?.isUniform, false);
  assert.is(result.dma?.bytes, BigInt(2 * 2 * PIECE_BYTES));
  assert.is(seen.at(-1), bytesToMove(pieces, plan));
  assert.equal(
    seen,
    seen.toSorted((a, b) => Number(a - b)),
  );
});

for (const name of CPU_PATTERNS) {
  test(`testMemory() finds a stuck bit: ${name}`, async () => {
    const offset = 123 * 8;
    const broken = breaking(second, offset, (word) => word | (1n << 17n));
    const result = await testMemory(broken, pieces, planOf([name]), undefined);
    assert.is(result.badWords, 1n, "a bit stuck at one is wrong in the pattern or in its complement");
    const [bad] = result.bad;
    assert.equal([bad?.piece, bad?.offsetBytes, bad?.badBits], [1, BigInt(offset), 1n << 17n]);
    assert.match(bad?.content ?? "", new RegExp(`^${name}.*by CPU`));
    assert.is(result.isAllOnes, false);
  });
}

test("testMemory() turns the bit of walking ones with each pass", async () => {
  const words = new Set<string>();
  const watching: Native = {
    ...native,
    startVerify: (range, pattern) => {
      words.add(`${pattern.seed}${pattern.invert ? " inverted" : ""}`);
      return native.startVerify(range, pattern);
    },
  };
  await testMemory(watching, pieces, planOf(["walking-ones"], { passes: 3 }), undefined);
  assert.equal([...words], ["0", "0 inverted", "1", "1 inverted", "2", "2 inverted"]);
});

test("testMemory() tells a device that is gone from bad memory", async () => {
  const gone = breaking(first, 0, () => (1n << 64n) - 1n);
  const result = await testMemory(gone, pieces, planOf(["random"]), undefined);
  assert.is(result.badWords, 2n);
  assert.is(result.isAllOnes, true);
});

test("testMemory() finds two pieces that are the same memory", async () => {
  const same = pieces.map(({ base }) => ({ mapping: first, base }));
  const result = await testMemory(native, same, planOf(["address"]), undefined);
  assert.is(result.badWords, BigInt((2 * PIECE_BYTES) / 8));
});

test("testMemory() places bad words in the provider's BAR", async () => {
  const frames = native.pageFrames(first);
  if (!frames) return;
  const start = (frames[1] ?? 0n) * 4096n;
  const provider = { resources: [{ index: 2, start: start - 4096n, end: start + 4095n, flags: 0n }] };
  const broken = breaking(first, 4096 + 16, (word) => ~word);
  const result = await testMemory(broken, pieces, planOf(["address"]), provider as never);
  assert.equal(result.bad[0]?.place, { address: start + 16n, bar: 2, barOffset: 4096n + 16n });
});

test("testMemory() keeps a few hundred ranges and counts all", async () => {
  const scattered: Native = {
    ...native,
    startFill: (range, pattern) => {
      const pass = native.startFill(range, pattern);
      const damage = async () => {
        for (let at = 0; at < PIECE_BYTES; at += 8192) {
          await native.writeMemory(rangeOf(range.mapping, at), Buffer.alloc(8, 0x3c));
        }
      };
      return { ...pass, done: pass.done.then(damage) };
    },
  };
  const result = await testMemory(scattered, pieces, planOf(["random"], { passes: 2 }), undefined);
  assert.is(result.badRanges, 512n);
  assert.is(result.bad.length, 256);
});

test("testMemory() ends when told so, with what it has found", async () => {
  const controller = new AbortController();
  const broken = breaking(first, 0, (word) => ~word);
  const result = await testMemory(broken, pieces, planOf(CPU_PATTERNS), undefined, {
    abort: controller.signal,
    onStep: (name) => {
      if (name === "address") controller.abort();
    },
  });
  assert.is(result.isComplete, false);
  assert.ok(result.badWords > 0n);
});

test("DMA: windows cover all memory, once in each round, and change places", () => {
  const [even, odd] = [0, 1].map((parity) => cutWindows(pieces, client, parity));
  const covered = even?.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  assert.is(covered, 2 * PIECE_BYTES);
  for (const [index, window] of (even ?? []).entries()) {
    assert.is(window.isTarget, !odd?.[index]?.isTarget);
    assert.is(window.isTarget, index % 2 === 0);
    assert.ok(window.mediumOffset + BigInt(window.lengthBytes) <= client.sizeBytes);
  }
});

test("DMA: a transfer that does not arrive is found", async () => {
  const lost = misreading((range, offset) =>
    offset === 0n ? range.lengthBytes : native.readFully(file, range, offset),
  );
  const result = await testMemory(lost, pieces, byDma, undefined);
  assert.ok(result.badWords > 8000n, `${result.badWords}`);
  assert.match(result.bad[0]?.content ?? "", /by DMA/);
});

test("DMA: a single wrong bit is found", async () => {
  const flipped: Native = {
    ...native,
    readMemory: async (range) => {
      const bytes = await native.readMemory(range);
      if (range.mapping === second && range.offsetBytes === 0) bytes[1001] = (bytes[1001] ?? 0) ^ 0x20;
      return bytes;
    },
  };
  const { bad, badWords } = await testMemory(flipped, pieces, byDma, undefined);
  assert.is(badWords, 1n);
  assert.equal([bad[0]?.piece, bad[0]?.offsetBytes, bad[0]?.badBits], [1, 1000n, 0x2000n]);
});

test("DMA: a transfer that goes astray into a neighbour is found there, too", async () => {
  const window = 64 * 1024 + BLOCK;
  const astray = misreading((range, offset) => {
    const shifted = { ...range, offsetBytes: range.offsetBytes + BLOCK };
    const fits = shifted.offsetBytes + shifted.lengthBytes <= PIECE_BYTES;
    return native.readFully(file, offset === 0n && fits ? shifted : range, offset);
  });
  const { bad } = await testMemory(astray, pieces, byDma, undefined);
  const neighbour = bad.find(({ content }) => /not meant by any DMA/.test(content));
  assert.equal([neighbour?.offsetBytes, neighbour?.lengthBytes], [BigInt(window), BigInt(BLOCK)]);
  assert.ok(bad.some(({ content, offsetBytes }) => content === "written by DMA" && offsetBytes === 0n));
});

test("DMA: a medium that is written meanwhile is no bad memory", async () => {
  let writes = 0;
  const other = native.mapRam(BLOCK);
  const busy = misreading((range, offset) => {
    if (offset === 0n && writes < 2) {
      native.fill(other, ++writes);
      native.writeFully(file, rangeOf(other, 0, BLOCK), 0n);
    }
    const got = native.readFully(file, range, offset);
    return got;
  });
  const result = await testMemory(busy, pieces, byDma, undefined);
  assert.is(result.badWords, 0n);
});

test("DMA: a medium that changes behind a transfer has it repeated", async () => {
  let writes = 0;
  const other = native.mapRam(BLOCK);
  const busy = misreading((range, offset) => {
    const got = native.readFully(file, range, offset);
    if (offset === 0n && writes < 2) {
      native.fill(other, 100 + ++writes);
      native.writeFully(file, rangeOf(other, 0, BLOCK), 0n);
    }
    return got;
  });
  const result = await testMemory(busy, pieces, byDma, undefined);
  assert.equal([result.badWords, result.dma?.changed], [0n, 2n]);
});

test("DMA: a blank medium is told", async () => {
  const blank = join(tempFolder("blank"), "medium");
  writeFileSync(blank, Buffer.alloc(MEDIUM_BYTES));
  const opened = native.open(blank, constants.O_RDONLY | O_DIRECT);
  const plan = planOf([], { client: { ...client, file: opened } });
  const result = await testMemory(native, pieces, plan, undefined);
  assert.equal([result.badWords, result.dma?.isUniform], [0n, true]);
  native.close(opened);
});

test("DMA: a drive that can't read ends the test with its error", async () => {
  const short = misreading(() => 0);
  const error = await testMemory(short, pieces, byDma, undefined).then(
    () => undefined,
    (reason) => reason,
  );
  assert.is(error?.code, "EIO");
});

test("differences() spans from the first to the last word that differs", () => {
  const expected = Buffer.alloc(64);
  const got = Buffer.from(expected);
  got[9] = 4;
  got.fill(0xff, 32, 40);
  assert.equal(differences(expected, got), {
    ranges: [
      {
        ...{ offsetBytes: 8n, lengthBytes: 32n, badWords: 2n, expected: 0n, got: 0x400n },
        badBits: (1n << 64n) - 1n,
      },
    ],
    ...{ badRanges: 1n, badWords: 2n, allOnes: 1n },
  });
  assert.equal(differences(expected, expected).ranges, []);
});

const words: [string, bigint][] = [
  ["zeros", 0n],
  ["ones", 0xffffffffffffffffn],
  ["aa", 0xaaaaaaaaaaaaaaaan],
  ["0xAA", 0xaaaaaaaaaaaaaaaan],
  ["1234", 0x3412341234123412n],
  ["deadbeef", 0xefbeaddeefbeadden],
  ["0102030405060708", 0x0807060504030201n],
];
for (const [text, seed] of words) {
  test(`parsePattern() reads ${text}`, () => assert.equal(parsePattern(text), { kind: "constant", seed }));
}

test("parsePattern() reads random:SEED", () => {
  assert.equal(parsePattern("random:0x10"), { kind: "random", seed: 16n });
});

for (const text of ["", "a", "abc", "aabbcc", "random", "random:", "random:-1", "zero", "0x"]) {
  test(`parsePattern() refuses "${text}"`, () => assert.throws(() => parsePattern(text), /--pattern: /));
}

test("parseSeed() takes 64 bits and no more", () => {
  assert.is(parseSeed("18446744073709551615", "--seed"), (1n << 64n) - 1n);
  assert.throws(() => parseSeed("18446744073709551616", "--seed"), /no seed/);
});

test.run();
