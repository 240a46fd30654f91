// SPDX-License-Identifier: MIT
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { P2pdmaError } from "../../../../core/errors.ts";
import { packBits } from "../../../../core/journal/bitmap.ts";
import {
  dataExtents,
  type Journal,
  parseJournal,
  readJournal,
  renderJournal,
} from "../../../../core/journal/journal.ts";
import { isAlive, ownProcess } from "../../../../core/journal/owner.ts";
import { removeLeftovers, replaceFile } from "../../../../core/journal/store.ts";
import { SystemFiles } from "../../../../core/sysfs.ts";

const folder = mkdtempSync(join(tmpdir(), "p2pdma-journal-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const sys = new SystemFiles();

function end(path: string): Journal["source"] {
  return {
    ...{ path, kind: "file", sizeBytes: "300000", blockBytes: 512, model: null, serial: null, wwid: null },
    ...{ alias: null },
    ...{ partition: null, startBytes: null, inode: "12", modifiedNs: "1", bornNs: "1" },
  };
}

function journal(over: Partial<Journal> = {}): Journal {
  return {
    ...{
      schema: "p2pdma.journal/1",
      createdWith: "p2pdma 0",
      createdAt: "a",
      updatedAt: "b",
      state: "running",
    },
    process: ownProcess(sys),
    source: end("/a"),
    destination: end("/b"),
    range: { srcOffset: "0", dstOffset: "4096", lengthBytes: "300000" },
    ...{ inPlace: true, chunkBytes: 131072 },
    options: {
      ...{ via: "auto", provider: null, allocator: null, engine: "uring", depth: null, retries: 3 },
      ...{ retryDelayMs: 100, verify: null, hash: null, sparse: "auto", onError: "stop", mapfile: null },
      ...{ checkpointMs: 5000, overwrite: [] },
    },
    data: [["0", "299520"]],
    durableBytes: "131072",
    bitmap: packBits(Buffer.from([1])),
    badRanges: [],
    ...over,
  };
}

function refusal(text: string): P2pdmaError {
  try {
    parseJournal(text, "j");
  } catch (error) {
    if (error instanceof P2pdmaError) return error;
    throw error;
  }
  throw new Error("it was taken");
}

/** As somebody would write it who knows the format: with a digest that fits. */
function sealed(value: object): string {
  return JSON.stringify({
    ...value,
    sha256: createHash("sha256").update(JSON.stringify(value)).digest("hex"),
  });
}

test("a journal survives being written and read", () => {
  const before = journal();
  assert.equal(parseJournal(renderJournal(before), "j"), before);
  const [extent] = dataExtents(before);
  assert.is(extent?.dstOffset, 4096n);
});

test("a flipped bit anywhere is noticed", () => {
  const text = renderJournal(journal());
  for (let at = 0; at < text.length; at += 7) {
    const damaged = Buffer.from(text);
    damaged[at] = (damaged[at] ?? 0) ^ 4;
    const other = damaged.toString("utf8");
    // White space between the fields says nothing.
    if (isSameJson(other, text)) continue;
    assert.is(refusal(other).code, "BAD_JOURNAL", `at ${at}`);
  }
});

function isSameJson(a: string, b: string): boolean {
  try {
    return JSON.stringify(JSON.parse(a)) === JSON.stringify(JSON.parse(b));
  } catch {
    return false;
  }
}

test("a truncated journal, another file, nothing at all: one clear error with exit code 2", () => {
  for (const text of ["", "null", "[]", "{}", "hello", renderJournal(journal()).slice(0, 400)]) {
    const error = refusal(text);
    assert.is(error.exitCode, 2);
    assert.match(error.message, /^Cannot use journal "j": /);
  }
  assert.throws(() => readJournal(join(folder, "missing")), /Cannot read journal .*ENOENT/);
});

test("one that fits its digest but makes no sense is refused, too", () => {
  const strange: [Partial<Record<keyof Journal, unknown>>, RegExp][] = [
    [{ schema: "p2pdma.journal/2" }, /schema/],
    [{ data: [["0", "999999"]] }, /outside its range/],
    [
      {
        data: [
          ["4096", "4096"],
          ["0", "4096"],
        ],
      },
      /outside its range/,
    ],
    [{ range: { srcOffset: "0", dstOffset: "0", lengthBytes: "300001" } }, /ends behind its source/],
    [{ bitmap: "AA==" }, /bitmap does not fit/],
    [{ bitmap: packBits(Buffer.alloc(1 << 20)) }, /bitmap does not fit/],
    [{ chunkBytes: 0 }, /chunkBytes/],
    [{ range: { srcOffset: "-1", dstOffset: "0", lengthBytes: "1" } }, /srcOffset/],
    [{ extra: 1 } as never, /extra/],
  ];
  for (const [over, reason] of strange)
    assert.match(refusal(sealed({ ...journal(), ...over })).message, reason);
});

test("a file is replaced whole, readable by its owner only, and nothing is left beside it", async () => {
  const path = join(folder, "replaced");
  await replaceFile(path, "one");
  await replaceFile(path, "two");
  assert.is(readFileSync(path, "utf8"), "two");
  assert.is(statSync(path).mode & 0o777, 0o600);
  assert.equal(readdirSync(folder), ["replaced"]);
});

test("what a killed process left beside a journal is removed, what one at work has there is not", async () => {
  const path = join(folder, "kept");
  const names = [
    `.kept.${2 ** 22 + 1}-0123abcd`,
    `.kept.${process.pid}-0123abcd`,
    ".kept.notes",
    ".other.1-0123abcd",
  ];
  for (const name of names) writeFileSync(join(folder, name), "");
  await removeLeftovers(path);
  assert.equal(
    names.filter((name) => existsSync(join(folder, name))),
    names.slice(1),
  );
});

test("a file that can't be replaced stays as it is", async () => {
  const path = join(folder, "directory", "file");
  let failed = false;
  await replaceFile(path, "x").catch(() => {
    failed = true;
  });
  assert.ok(failed);
  writeFileSync(join(folder, "replaced"), "three");
  await replaceFile(join(folder, "replaced", "below"), "x").catch(() => {});
  assert.is(readFileSync(join(folder, "replaced"), "utf8"), "three");
});

test("the process that keeps a journal is told from a dead one and from another of its number", () => {
  const own = ownProcess(sys);
  assert.ok(isAlive(sys, own));
  assert.not.ok(isAlive(sys, { ...own, startTicks: "1" }));
  assert.not.ok(isAlive(sys, { ...own, bootId: "another boot" }));
  assert.not.ok(isAlive(sys, { ...own, pid: 2 ** 22 + 1 }));
});

test.run();
