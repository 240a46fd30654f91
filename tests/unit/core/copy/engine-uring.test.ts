// SPDX-License-Identifier: MIT
import { constants, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { EngineJob } from "../../../../core/copy/engine.ts";
import { runUring } from "../../../../core/copy/engine-uring.ts";
import { bitmapBytes, native } from "../../../../ffi/index.ts";
import { tempFolder } from "../../temp.ts";

const CHUNK = 4096;
const SLOTS = 64;
const folder = tempFolder("engine-uring");
const data = Buffer.alloc(400 * CHUNK, "p2pdma");
writeFileSync(join(folder, "src"), data);

function job(name: string, over: Partial<EngineJob>): EngineJob {
  const mapping = native.mapRam(SLOTS * CHUNK);
  const extents = [{ srcOffset: 0n, dstOffset: 0n, lengthBytes: BigInt(data.length) }];
  return {
    src: native.open(join(folder, "src"), constants.O_RDONLY),
    dst: native.open(join(folder, name), constants.O_RDWR | constants.O_CREAT),
    slots: Array.from({ length: SLOTS }, (_, slot) => ({
      ...{ mapping, offsetBytes: slot * CHUNK, lengthBytes: CHUNK },
    })),
    ...{ extents, chunkBytes: CHUNK, blockBytes: 4096, bitmap: Buffer.alloc(bitmapBytes(extents, CHUNK)) },
    ...{ retries: 0, retryDelayMs: 0, ioPriority: 0, rateBytesPerSecond: 0 },
    ...{ fixedBuffers: false, stopOnError: true },
    ...over,
  };
}

test("runUring() uses all slots unless told to adapt", async () => {
  const run = runUring(native, job("all", {}));
  assert.is(run.depth(), SLOTS);
  assert.is((await run.done).outcome, "done");
  assert.equal(readFileSync(join(folder, "all")), data);
});

test("runUring() adapts the depth while it runs", async () => {
  // 2 s of work, in which more depth is of no use.
  const run = runUring(native, job("adapted", { adaptDepth: true, rateBytesPerSecond: data.length / 2 }));
  assert.is(run.depth(), 16);
  const depths = new Set<number>();
  let isDone = false;
  const done = run.done.finally(() => {
    isDone = true;
  });
  while (!isDone) {
    depths.add(run.depth());
    await setTimeout(20);
  }
  assert.is((await done).outcome, "done");
  assert.ok(depths.size > 1 && Math.max(...depths) <= SLOTS, `${[...depths]}`);
  assert.equal(readFileSync(join(folder, "adapted")), data);
});

test.run();
