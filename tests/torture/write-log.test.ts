// SPDX-License-Identifier: MIT
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { tempFolder } from "../unit/temp.ts";
import { afterPowerCut, countEntries, durableCount, Medium, readLog } from "./write-log.ts";

const SECTOR = 512;
const path = join(tempFolder("write-log"), "log");

interface Item {
  readonly flags: bigint;
  readonly sector: number;
  readonly sectors: number;
  readonly fill?: string;
}

const write = (sector: number, sectors: number, fill: string, flags = 0n) => ({
  flags,
  sector,
  sectors,
  fill,
});
const flush: Item = { flags: 1n, sector: 0, sectors: 0 };
const discard = (sector: number, sectors: number): Item => ({ flags: 4n, sector, sectors });

/** @param entries what the super block says; the last of the items may not have made it there */
function makeLog(items: readonly Item[], entries = items.length): void {
  const head = Buffer.alloc(SECTOR);
  head.writeBigUInt64LE(0x6a736677736872n, 0);
  head.writeBigUInt64LE(1n, 8);
  head.writeBigUInt64LE(BigInt(entries), 16);
  head.writeUInt32LE(SECTOR, 24);
  const parts = items.map(({ flags, sector, sectors, fill }) => {
    const entry = Buffer.alloc(SECTOR);
    entry.writeBigUInt64LE(BigInt(sector), 0);
    entry.writeBigUInt64LE(BigInt(sectors), 8);
    entry.writeBigUInt64LE(flags, 16);
    return fill === undefined ? entry : Buffer.concat([entry, Buffer.alloc(sectors * SECTOR, fill)]);
  });
  writeFileSync(path, Buffer.concat([head, ...parts]));
}

/** First byte of each of the first four sectors after replay. */
function replay(pick: (log: ReturnType<typeof readLog>) => ReturnType<typeof readLog>): string {
  const medium = new Medium(path, Buffer.alloc(4 * SECTOR, "."));
  for (const entry of pick(readLog(path))) medium.apply(entry);
  medium.close();
  const firsts = [0, 1, 2, 3].map((sector) => medium.bytes.readUInt8(sector * SECTOR) || 0x30);
  return String.fromCharCode(...firsts);
}

test("readLog() answers writes, flushes and discards in order, and where their data are", () => {
  makeLog([write(1, 2, "a"), flush, discard(2, 1), write(3, 1, "b", 2n)]);
  assert.equal(
    readLog(path).map(({ kind, offset, lengthBytes, isForced }) => [kind, offset, lengthBytes, isForced]),
    [
      ["write", 512, 1024, false],
      ["flush", 0, 0, false],
      ["discard", 1024, 512, false],
      ["write", 1536, 512, true],
    ],
  );
  assert.is(
    replay((log) => log),
    ".a0b",
  );
});

test("readLog() leaves out what the super block does not count yet", () => {
  makeLog([write(0, 1, "a"), write(1, 1, "b")], 1);
  assert.is(countEntries(path), 1);
  assert.is(
    replay((log) => log),
    "a...",
  );
});

test("readLog() takes a log that was never written to for empty, and refuses another file", () => {
  writeFileSync(path, "");
  assert.equal([readLog(path), countEntries(path)], [[], 0]);
  writeFileSync(path, Buffer.alloc(4096));
  assert.throws(() => readLog(path), /no write log/);
});

test("durableCount() ends behind the last flush", () => {
  makeLog([write(0, 1, "a"), flush, write(1, 1, "b"), flush, write(2, 1, "c")]);
  const log = readLog(path);
  assert.equal(
    [0, 1, 2, 3, 4, 5].map((count) => durableCount(log, count)),
    [0, 0, 2, 2, 4, 4],
  );
});

test("afterPowerCut() keeps what was flushed or forced, and of the rest all, nothing or a part", () => {
  makeLog([write(0, 1, "a"), flush, write(1, 1, "b", 2n), write(2, 2, "c")]);
  const outcomes = new Set<string>();
  for (let fate = 0; fate < 200; fate++) {
    let turn = fate;
    const random = (below: number) => {
      const value = turn % below;
      turn = Math.floor(turn / below);
      return value;
    };
    outcomes.add(replay((log) => afterPowerCut(log, 4, random)));
  }
  assert.equal([...outcomes].sort(), ["ab..", "ab.c", "abc.", "abcc"]);
});

test.run();
