// SPDX-License-Identifier: MIT
import { randomBytes } from "node:crypto";
import { constants, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type BenchJob, native, type OpenFile, SyscallError } from "../../../ffi/index.ts";
import { tempFolder } from "../temp.ts";

const folder = tempFolder("bench");
const CHUNK = 16384;
const LENGTH = 16 * CHUNK;
const path = join(folder, "data");
const data = randomBytes(LENGTH);
writeFileSync(path, data);

function job(over: Partial<BenchJob>): BenchJob {
  const mapping = native.mapRam(2 * CHUNK);
  const slots = [0, 1].map((slot) => ({ mapping, offsetBytes: slot * CHUNK, lengthBytes: CHUNK }));
  return {
    ...{ kind: "read", slots, chunkBytes: CHUNK, isRandom: false, seed: 1n, fixedBuffers: true },
    ...{ srcOffset: 0n, dstOffset: 0n, rangeBytes: BigInt(LENGTH) },
    ...{ warmupMs: 0, sizeBytes: BigInt(LENGTH), mostErrors: 0 },
    ...over,
  };
}

async function withFile<T>(file: string, flags: number, use: (file: OpenFile) => Promise<T>): Promise<T> {
  const opened = native.open(file, flags);
  try {
    return await use(opened);
  } finally {
    native.close(opened);
  }
}

test("startBench() reads as much as asked and counts each request once", () =>
  withFile(path, constants.O_RDONLY, async (src) => {
    const run = native.startBench(job({ src }));
    const { transfers, enters, elapsedNs, errors, fixedBuffers } = await run.done;
    const { read, write } = transfers;
    assert.ok(read.bytes >= BigInt(LENGTH) && read.bytes <= BigInt(LENGTH + CHUNK));
    assert.is(read.requests, read.bytes / BigInt(CHUNK));
    assert.is(
      read.histogram.reduce((sum, { count }) => sum + count, 0),
      Number(read.requests),
    );
    assert.ok(read.histogram.every(({ ns }) => ns <= Number(read.mostNs)));
    assert.equal([write.bytes, write.histogram.length, errors.length], [0n, 0, 0]);
    assert.ok(enters > 0n && elapsedNs > 0n && fixedBuffers);
    assert.ok(run.bytesNow() >= read.bytes);
    assert.is(run.inFlight(), 0);
  }));

test("startBench() copies chunk by chunk", () =>
  withFile(path, constants.O_RDONLY, (src) =>
    withFile(join(folder, "copy"), constants.O_RDWR | constants.O_CREAT, async (dst) => {
      await native.startBench(job({ kind: "copy", src, dst })).done;
      assert.ok(readFileSync(dst.path).equals(data));
    }),
  ));

test("startBench() reads into pieces of several mappings", () =>
  withFile(path, constants.O_RDONLY, async (src) => {
    const [even, odd] = [native.mapRam(CHUNK), native.mapRam(CHUNK)];
    const halves = [even, odd].map((mapping) => ({ mapping, offsetBytes: 0, lengthBytes: CHUNK / 2 }));
    const { slots } = job({});
    const run = native.startBench(
      job({
        ...{ src, slots: slots.slice(0, 1), pieces: [halves], fixedBuffers: false },
        ...{ srcOffset: BigInt(CHUNK), rangeBytes: BigInt(CHUNK) },
      }),
    );
    await run.done;
    const found = await Promise.all(halves.map((half) => native.readMemory(half)));
    assert.ok(Buffer.concat(found).equals(data.subarray(CHUNK, 2 * CHUNK)));
  }));

test("startBench() names what failed", () =>
  withFile(path, constants.O_WRONLY, async (src) => {
    const { errors, failed } = await native.startBench(job({ src, mostErrors: 9 })).done;
    assert.is(errors[0]?.errno, 9);
    assert.is(errors[0]?.direction, "read");
    assert.ok(failed >= 10n && failed <= 12n);
  }));

test("startBench() ends when cancelled", () =>
  withFile(path, constants.O_RDONLY, async (src) => {
    const run = native.startBench(job({ src, sizeBytes: 1n << 62n }));
    run.cancel();
    const error = await run.done.catch((cause: unknown) => cause);
    assert.ok(error instanceof SyscallError && error.code === "ECANCELED");
  }));

test("startBench() refuses pieces that are no chunk", () => {
  const { slots } = job({});
  assert.throws(() => native.startBench(job({ pieces: [slots.slice(0, 1)] })), RangeError);
});

test.run();
