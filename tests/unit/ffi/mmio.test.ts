// SPDX-License-Identifier: MIT
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type MemoryPattern, native, PAGE_BYTES, SyscallError } from "../../../ffi/index.ts";
import { tempFolder } from "../temp.ts";

const folder = tempFolder("mmio");

async function pass(start: typeof native.startFill, pattern: MemoryPattern, range = whole) {
  const run = start(range, pattern);
  await run.done;
  return { bytes: run.bytesDone(), ...run.findings() };
}

const mapping = native.mapRam(16 * PAGE_BYTES);
const whole = { mapping, offsetBytes: 0, lengthBytes: mapping.lengthBytes };

test("mapRegisters() and readRegisters() read 32 bits at the offsets asked for", () => {
  const path = join(folder, "resource0");
  const content = Buffer.alloc(PAGE_BYTES);
  content.writeUInt32LE(0xdeadbeef, 0x38);
  content.writeUInt32LE(0x04000219, 0x3c);
  writeFileSync(path, content);
  const registers = native.mapRegisters(path, PAGE_BYTES);
  assert.equal(native.readRegisters(registers, [0x3c, 0x38, 0]), [0x04000219, 0xdeadbeef, 0]);
  assert.throws(() => native.readRegisters(registers, [PAGE_BYTES - 2]), RangeError);
  registers.close();
});

test("mapRegisters() of what is not there says so", () => {
  const path = join(folder, "none");
  const isMissing = (error: Error) => error instanceof SyscallError && error.code === "ENOENT";
  assert.throws(() => native.mapRegisters(path, PAGE_BYTES), isMissing);
});

const patterns: MemoryPattern[] = [
  { kind: "constant", seed: 0xaaaaaaaaaaaaaaaan },
  { kind: "walking", seed: 3n, invert: true },
  { kind: "address", seed: 0n, base: 0xf400000000n },
  { kind: "random", seed: 0xffffffffffffffffn },
];
for (const pattern of patterns) {
  test(`startVerify() finds what startFill() wrote: ${pattern.kind}`, async () => {
    const filled = await pass(native.startFill, pattern);
    assert.is(filled.bytes, BigInt(whole.lengthBytes));
    const { badWords, ranges } = await pass(native.startVerify, pattern);
    assert.equal([badWords, ranges], [0n, []]);
  });

  test(`startVerify() reports a broken word: ${pattern.kind}`, async () => {
    await pass(native.startFill, pattern);
    const word = { mapping, offsetBytes: 5 * PAGE_BYTES + 8, lengthBytes: 8 };
    const good = await native.readMemory(word);
    await native.writeMemory(
      word,
      Buffer.from(good.map((byte, index) => (index === 2 ? byte ^ 0x40 : byte))),
    );
    const { ranges, badWords } = await pass(native.startVerify, pattern);
    const expected = good.readBigUInt64LE();
    const bit = 0x400000n;
    assert.is(badWords, 1n);
    assert.equal(ranges, [
      {
        ...{ offsetBytes: BigInt(word.offsetBytes), lengthBytes: 8n, badWords: 1n },
        ...{ expected, got: expected ^ bit, badBits: bit },
      },
    ]);
  });
}

test("a range that is not the whole mapping leaves the rest alone", async () => {
  await pass(native.startFill, { kind: "constant", seed: 0n });
  const middle = { mapping, offsetBytes: PAGE_BYTES, lengthBytes: PAGE_BYTES };
  await pass(native.startFill, { kind: "constant", seed: 1n }, middle);
  const { badWords, ranges } = await pass(native.startVerify, { kind: "constant", seed: 0n });
  assert.is(badWords, BigInt(PAGE_BYTES / 8));
  assert.is(ranges[0]?.offsetBytes, BigInt(PAGE_BYTES));
});

test("a range that is no multiple of 8 is refused", async () => {
  const run = native.startFill({ mapping, offsetBytes: 4, lengthBytes: 8 }, { kind: "random", seed: 0n });
  const error = await run.done.then(
    () => undefined,
    (reason) => reason,
  );
  assert.is(error?.code, "EINVAL");
});

test("cancel() ends a pass", async () => {
  const large = native.mapRam(64 << 20);
  const run = native.startFill(
    { mapping: large, offsetBytes: 0, lengthBytes: large.lengthBytes },
    { kind: "random", seed: 0n },
  );
  run.cancel();
  const error = await run.done.then(
    () => undefined,
    (reason) => reason,
  );
  assert.is(error?.code, "ECANCELED");
  large.close();
});

test("frameOfProcess() finds a page as pageFrames() does, and nothing of a process that is not there", () => {
  const maps = readFileSync("/proc/self/maps", "utf8");
  const [, start = "0"] = /^([0-9a-f]+)-[0-9a-f]+ r-xp .*node/m.exec(maps) ?? [];
  const frame = native.frameOfProcess(process.pid, BigInt(`0x${start}`));
  assert.is(frame !== undefined, process.getuid?.() === 0);
  assert.is(native.frameOfProcess(2 ** 22 + 1, 0n), undefined);
});

test("readMemory() and writeMemory() move ordinary bytes", async () => {
  const data = Buffer.from("sixteen bytes ok");
  await native.writeMemory({ mapping, offsetBytes: 24, lengthBytes: 16 }, data);
  assert.equal(await native.readMemory({ mapping, offsetBytes: 24, lengthBytes: 16 }), data);
  const slice = Buffer.concat([Buffer.from("x"), data]).subarray(1);
  await native.writeMemory({ mapping, offsetBytes: 8, lengthBytes: 16 }, slice);
  assert.equal(await native.readMemory({ mapping, offsetBytes: 8, lengthBytes: 16 }), data);
});

test.run();
