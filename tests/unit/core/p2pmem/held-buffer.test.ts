// SPDX-License-Identifier: MIT
// A file stands in for the provider's memory: what is tested is the bookkeeping. tests/lab/shell.test.ts has the real thing.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { P2pdmaError } from "../../../../core/errors.ts";
import type { ReadableBytes } from "../../../../core/p2pmem/compare-bytes.ts";
import { HeldBuffer } from "../../../../core/p2pmem/held-buffer.ts";
import { SystemFiles } from "../../../../core/sysfs.ts";
import { native } from "../../../../ffi/index.ts";
import { tempFolder } from "../../temp.ts";

const SIZE = 128 * 1024;
const BDF = "0000:03:00.0";
const root = tempFolder("held-buffer");
const device = `/sys/bus/pci/devices/${BDF}`;
const memoryFile = join(root, device, "p2pmem", "allocate");
mkdirSync(join(root, device, "p2pmem"), { recursive: true });
for (const [name, text] of Object.entries({ size: SIZE * 2, available: SIZE * 2, published: 1 })) {
  writeFileSync(join(root, device, "p2pmem", name), `${text}\n`);
}
writeFileSync(memoryFile, Buffer.alloc(SIZE));

const env = {
  sys: new SystemFiles(root),
  native: {
    ...native,
    open: (path: string, flags: number) => native.open(join(root, path), flags),
    pageFrames: () => undefined,
  },
};

function hold(sizeBytes = BigInt(SIZE)): HeldBuffer {
  return HeldBuffer.allocate(env, { name: "x", provider: BDF, sizeBytes });
}

function bytesOf(data: Buffer): ReadableBytes {
  return {
    sizeBytes: BigInt(data.length),
    read: async (offset, length) => data.subarray(offset, offset + length),
  };
}

async function contentOf(buffer: HeldBuffer, part = {}): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const bytes of buffer.dump(part)) parts.push(bytes);
  return Buffer.concat(parts);
}

function pattern(length: number, step = 7): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => (index * step + (index >> 8)) & 0xff));
}

async function failure(work: () => unknown): Promise<Error> {
  try {
    await work();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

test("fill() writes a pattern to all of it", async () => {
  using buffer = hold();
  await buffer.fill("deadbeef");
  assert.equal(await contentOf(buffer), Buffer.from("deadbeef".repeat(SIZE / 4), "hex"));
  assert.equal(readFileSync(memoryFile).subarray(0, 4).toString("hex"), "deadbeef");
});

test("load() takes any number of bytes and leaves what lies behind them", async () => {
  using buffer = hold();
  for (const length of [0, 1, 7, 8, 9, 4095, 65535, 65536, 65537, SIZE - 3, SIZE]) {
    await buffer.fill("ones");
    await buffer.load(bytesOf(pattern(length)));
    const content = await contentOf(buffer);
    assert.ok(content.subarray(0, length).equals(pattern(length)), `${length} bytes`);
    assert.ok(
      content.subarray(length).every((byte) => byte === 0xff),
      `behind ${length} bytes`,
    );
  }
});

test("load() of more than it holds is refused, and writes nothing", async () => {
  using buffer = hold();
  await buffer.fill("ones");
  const error = await failure(() => buffer.load(bytesOf(Buffer.alloc(SIZE + 1))));
  assert.ok(error instanceof P2pdmaError && error.code === "USAGE", error.message);
  assert.ok((await contentOf(buffer)).every((byte) => byte === 0xff));
});

test("dump() gives any part, and none that is not inside", async () => {
  using buffer = hold();
  const all = pattern(SIZE);
  await buffer.load(bytesOf(all));
  for (const [offset, length] of [
    [0, 1],
    [3, 2],
    [1, 65536],
    [65531, 65541],
    [SIZE - 1, 1],
    [SIZE, 0],
  ] as const) {
    const part = { offset: BigInt(offset), length: BigInt(length) };
    assert.ok(
      (await contentOf(buffer, part)).equals(all.subarray(offset, offset + length)),
      `${offset}+${length}`,
    );
  }
  for (const part of [
    { offset: BigInt(SIZE + 1) },
    { offset: 1n, length: BigInt(SIZE) },
    { offset: -1n },
    { length: -1n },
  ]) {
    const error = await failure(() => contentOf(buffer, part));
    assert.ok(error instanceof P2pdmaError && error.code === "USAGE", error.message);
  }
});

test("compare() finds the first difference and counts them, as far as both go", async () => {
  using buffer = hold();
  const all = pattern(SIZE);
  await buffer.load(bytesOf(all));
  const none = { comparedBytes: 100n, differingBytes: 0n, firstDifference: undefined };
  assert.equal(await buffer.compare(bytesOf(all.subarray(0, 100))), none);
  const other = Buffer.from(all);
  for (const at of [70_001, 70_002, SIZE - 1]) other.writeUInt8((other[at] ?? 0) ^ 1, at);
  assert.equal(await buffer.compare(bytesOf(other)), {
    ...{ comparedBytes: BigInt(SIZE), differingBytes: 3n, firstDifference: 70_001n },
  });
});

test("lend() cuts slots as many as fit, and says when none do", async () => {
  using buffer = hold();
  const lent = buffer.lend(5000, 64);
  assert.equal(lent.slots.map(({ offsetBytes }) => offsetBytes).slice(0, 3), [0, 8192, 16384]);
  assert.is(lent.slots.length, SIZE / 8192);
  lent.close();
  assert.is(buffer.isBusy, false);
  const error = await failure(() => buffer.lend(SIZE, 4, 2));
  assert.match(error.message, 'buffer "x" holds 128 KiB, needed 2 x 128 KiB');
});

test("memory that is lent stays mapped until it is returned", async () => {
  const buffer = hold();
  const lent = buffer.lend(4096, 1);
  buffer.close();
  assert.ok(buffer.isClosed && buffer.isBusy);
  native.fill(lent.mapping, 1);
  lent.close();
  lent.close();
  assert.throws(() => native.fill(lent.mapping, 1), /closed/);
});

test("what was aborted before it began does nothing, however quick it would be", async () => {
  using buffer = hold();
  await buffer.fill("aa");
  const error = await failure(() => buffer.fill("bb", { abort: AbortSignal.abort() }));
  assert.is((error as P2pdmaError).code, "INTERRUPTED");
  assert.is((await buffer.read(0, 1))[0], 0xaa);
});

test("closing waits for a fill that is under way", async () => {
  const buffer = hold();
  const filling = buffer.fill("aa");
  buffer.close();
  await filling;
  assert.is(readFileSync(memoryFile)[SIZE - 1], 0xaa);
  assert.instance(await failure(() => buffer.fill("bb")), TypeError);
  buffer.close();
});

test("pages outside the BAR are never lent", async () => {
  let frames: bigint[] | undefined;
  const moved = { ...env, native: { ...env.native, pageFrames: () => frames } };
  using buffer = HeldBuffer.allocate(moved, { name: "x", provider: BDF, sizeBytes: 4096n });
  frames = [1n];
  const error = await failure(() => buffer.lend(4096, 1));
  assert.ok(error instanceof P2pdmaError && error.code === "NOT_RESIDENT", error.message);
  assert.is(buffer.isBusy, false);
});

test("a device that offers nothing, and a size that can't be, are errors of the user", async () => {
  const allocate = (provider: string, sizeBytes: bigint) => () =>
    HeldBuffer.allocate(env, { name: "x", provider, sizeBytes });
  assert.match((await failure(allocate("0000:09:00.0", 4096n))).message, "offers no p2pmem");
  assert.match((await failure(allocate(BDF, 0n))).message, "0 bytes");
  assert.match((await failure(allocate(BDF, 1n << 40n))).message, "it has 262144");
});

test.run();
