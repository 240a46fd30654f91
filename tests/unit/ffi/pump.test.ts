// SPDX-License-Identifier: MIT
import { randomBytes } from "node:crypto";
import { constants, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { bitmapBytes, chunkCount, native, type OpenFile, type PumpJob } from "../../../ffi/index.ts";
import { tempFolder } from "../temp.ts";

const folder = tempFolder("pump");
const CHUNK = 65536;
const LENGTH = 20 * CHUNK;
const data = randomBytes(LENGTH);
const sourcePath = join(folder, "src");
writeFileSync(sourcePath, data);

function job(src: OpenFile, dst: OpenFile, over: Partial<PumpJob> = {}): PumpJob {
  const mapping = native.mapRam(4 * CHUNK);
  const slots = [0, 1, 2, 3].map((slot) => ({ mapping, offsetBytes: slot * CHUNK, lengthBytes: CHUNK }));
  const extents = over.extents ?? [{ srcOffset: 0n, dstOffset: 0n, lengthBytes: BigInt(LENGTH) }];
  return {
    ...{
      src,
      dst,
      slots,
      extents,
      bitmap: Buffer.alloc(bitmapBytes(extents, CHUNK)),
      chunkBytes: CHUNK,
      blockBytes: 4096,
      retries: 0,
      retryDelayMs: 0,
      ioPriority: 0,
      rateBytesPerSecond: 0,
      fixedBuffers: true,
      stopOnError: true,
    },
    ...over,
  };
}

test("startPump() copies and counts, in one native call", async () => {
  const src = native.open(sourcePath, constants.O_RDONLY | constants.O_DIRECT);
  const dst = native.open(join(folder, "dst"), constants.O_RDWR | constants.O_CREAT | constants.O_DIRECT);
  const before = native.nativeCalls();
  const prepared = job(src, dst);
  const overhead = native.nativeCalls();
  const run = native.startPump(prepared);
  assert.is(await run.done, 0);
  assert.is(native.nativeCalls() - overhead, 1);
  assert.ok(overhead > before);
  const { bytesRead, bytesWritten, chunksDone, chunksFailed, fixedBuffers } = run.progress();
  assert.equal(
    [bytesRead, bytesWritten, chunksDone, chunksFailed],
    [BigInt(LENGTH), BigInt(LENGTH), 20n, 0n],
  );
  assert.ok(fixedBuffers);
  assert.equal(readFileSync(dst.path), data);
  native.close(src);
  native.close(dst);
});

test("startPump() logs a failed chunk with place, errno and direction", async () => {
  const src = native.open(sourcePath, constants.O_RDONLY);
  const dst = native.open(join(folder, "readonly"), constants.O_RDONLY | constants.O_CREAT);
  const run = native.startPump(job(src, dst));
  const EIO = 5;
  assert.is(await run.done, -EIO);
  const [first] = run.errors();
  assert.is(first?.direction, "write");
  assert.is(first?.errno, 9);
  assert.is(first?.lengthBytes, BigInt(CHUNK));
  assert.is(first?.srcOffset, (first?.chunk ?? -1n) * BigInt(CHUNK));
  native.close(src);
  native.close(dst);
});

test("startPump() stops early when cancelled before it starts", async () => {
  const src = native.open(sourcePath, constants.O_RDONLY);
  const dst = native.open(join(folder, "cancelled"), constants.O_RDWR | constants.O_CREAT);
  const run = native.startPump(job(src, dst));
  run.cancel("abort");
  const result = await run.done;
  const ECANCELED = 125;
  assert.ok(result === -ECANCELED || (result === 0 && run.progress().chunksDone === 20n));
  native.close(src);
  native.close(dst);
});

test("bitmapBytes() counts every extent's chunks apart", () => {
  const extent = (lengthBytes: number) => ({
    srcOffset: 0n,
    dstOffset: 0n,
    lengthBytes: BigInt(lengthBytes),
  });
  assert.is(chunkCount([], CHUNK), 0n);
  assert.is(chunkCount([extent(1), extent(CHUNK), extent(0), extent(CHUNK + 1)], CHUNK), 4n);
  assert.is(bitmapBytes([], CHUNK), 0);
  assert.is(bitmapBytes([extent(8 * CHUNK)], CHUNK), 1);
  assert.is(bitmapBytes([extent(8 * CHUNK), extent(4096)], CHUNK), 2);
});

test("startPump() skips what the bitmap says is done and marks what it did", async () => {
  const src = native.open(sourcePath, constants.O_RDONLY | constants.O_DIRECT);
  const dst = native.open(join(folder, "resumed"), constants.O_RDWR | constants.O_CREAT | constants.O_DIRECT);
  const bitmap = Buffer.from([0b0101_0101, 0xff, 0]);
  const run = native.startPump(job(src, dst, { bitmap }));
  assert.is(await run.done, 0);
  assert.is(run.progress().chunksDone, 8n);
  assert.equal(bitmap, Buffer.from([0xff, 0xff, 0x0f]));
  const result = readFileSync(dst.path);
  for (let chunk = 0; chunk < 20; chunk++) {
    const wasDone = chunk < 16 && (chunk >= 8 || chunk % 2 === 0);
    const wanted = wasDone ? Buffer.alloc(CHUNK) : data.subarray(chunk * CHUNK, (chunk + 1) * CHUNK);
    assert.ok(result.subarray(chunk * CHUNK, (chunk + 1) * CHUNK).equals(wanted), `chunk ${chunk}`);
  }
  native.close(src);
  native.close(dst);
});

test("startPump() answers EINVAL when the bitmap is too small, and does nothing without chunks", async () => {
  const src = native.open(sourcePath, constants.O_RDONLY);
  assert.is(await native.startPump(job(src, src, { bitmap: Buffer.alloc(2) })).done, -22);
  assert.is(await native.startPump(job(src, src, { extents: [], bitmap: Buffer.alloc(0) })).done, 0);
  native.close(src);
});

test("startPump() holds the rate and hears of a new one", async () => {
  const src = native.open(sourcePath, constants.O_RDONLY);
  const dst = native.open(join(folder, "slow"), constants.O_RDWR | constants.O_CREAT);
  const started = performance.now();
  const run = native.startPump(job(src, dst, { rateBytesPerSecond: CHUNK }));
  await setTimeout(300);
  assert.ok(run.progress().chunksDone <= 2n, `${run.progress().chunksDone} chunks`);
  run.setRate(0);
  assert.is(await run.done, 0);
  assert.ok(performance.now() - started < 5000);
  assert.is(run.progress().chunksDone, 20n);
  native.close(src);
  native.close(dst);
});

test("startPump() keeps to the depth it is told", async () => {
  const src = native.open(sourcePath, constants.O_RDONLY);
  const dst = native.open(join(folder, "shallow"), constants.O_RDWR | constants.O_CREAT);
  const run = native.startPump(job(src, dst, { rateBytesPerSecond: 100 * CHUNK }));
  run.setDepth(1);
  assert.is(await run.done, 0);
  const { latency, maxInFlight } = run.progress();
  assert.ok(maxInFlight <= 4);
  assert.is(latency.read.requests, 20n);
  assert.is(latency.write.requests, 20n);
  assert.is(latency.compare.requests, 0n);
  assert.ok(latency.read.sumNs > 0n && latency.write.sumNs > 0n);
  native.close(src);
  native.close(dst);
});

test("startPump() ends at a fatal error, and says that it was one", async () => {
  const src = native.open(sourcePath, constants.O_RDONLY);
  const dst = native.open("/dev/full", constants.O_WRONLY);
  const run = native.startPump(job(src, dst, { stopOnError: false, retries: 3, retryDelayMs: 1000 }));
  assert.is(await run.done, -5);
  assert.ok(run.progress().chunksFailed <= 4n);
  for (const { errno, isFatal, attempts } of run.errors())
    assert.equal([errno, isFatal, attempts], [28, true, 1]);
  native.close(src);
  native.close(dst);
});

test("startPump() waits before another try, and hears cancel meanwhile", async () => {
  const src = native.open("/proc/self/mem", constants.O_RDONLY);
  const dst = native.open(join(folder, "never"), constants.O_RDWR | constants.O_CREAT);
  const run = native.startPump(job(src, dst, { retries: 9, retryDelayMs: 60_000, fixedBuffers: false }));
  while (run.progress().chunksWaiting < 4) await setTimeout(5);
  const cancelled = performance.now();
  run.cancel("drain");
  assert.is(await run.done, -125);
  assert.ok(performance.now() - cancelled < 1000);
  const { chunksWaiting, retries, chunksFailed } = run.progress();
  assert.equal([chunksWaiting, retries, chunksFailed], [0, 4n, 0n]);
  native.close(src);
  native.close(dst);
});

test("startPump() compares by ioctl where it must, and reports what the kernel says", async () => {
  const src = native.open(sourcePath, constants.O_RDONLY);
  const file = native.open("/dev/null", constants.O_RDWR);
  const compare = { file, nsid: 1, lbaBytes: 512, baseBytes: 0n, maxBytes: 4096, viaIoctl: true };
  const run = native.startPump(job(src, src, { stages: "compare", compare }));
  assert.is(await run.done, -5);
  const ENOTTY = 25;
  const [error] = run.errors();
  assert.equal([error?.direction, error?.errno], ["compare", ENOTTY]);
  assert.ok(run.progress().comparesByIoctl);
  native.close(src);
  native.close(file);
});

test("startPump() answers EINVAL for a job that makes no sense", async () => {
  const src = native.open(sourcePath, constants.O_RDONLY);
  const run = native.startPump(job(src, src, { blockBytes: 1000 }));
  assert.is(await run.done, -22);
  native.close(src);
});

test("copyTail() keeps what follows on the destination", () => {
  const tailSource = join(folder, "tail-src");
  const tailTarget = join(folder, "tail-dst");
  writeFileSync(tailSource, data.subarray(0, 4096 + 700));
  writeFileSync(tailTarget, Buffer.alloc(12288, 0xee));
  const src = native.open(tailSource, constants.O_RDONLY | constants.O_DIRECT);
  const dst = native.open(tailTarget, constants.O_RDWR | constants.O_DIRECT);
  const mapping = native.mapRam(8192);
  native.copyTail({
    ...{ src, dst, srcOffset: 4096n, dstOffset: 8192n, lengthBytes: 700 },
    ...{ srcBlockBytes: 4096, dstBlockBytes: 4096 },
    srcSlot: { mapping, offsetBytes: 0, lengthBytes: 4096 },
    dstSlot: { mapping, offsetBytes: 4096, lengthBytes: 4096 },
  });
  native.close(src);
  native.close(dst);
  const result = readFileSync(tailTarget);
  assert.equal(result.subarray(8192, 8892), data.subarray(4096, 4796));
  assert.equal(result.subarray(0, 8192), Buffer.alloc(8192, 0xee));
  assert.equal(result.subarray(8892), Buffer.alloc(12288 - 8892, 0xee));
});

test.run();
