// SPDX-License-Identifier: MIT
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MissingLibraryError, native, SyscallError } from "../../../ffi/index.ts";
import { systemLibrary } from "../../../ffi/load.ts";
import { damagedLvmLabel, dosTable, gptTable, swapArea } from "../disk-images.ts";
import { tempFolder } from "../temp.ts";

const folder = tempFolder("blkid");
const MIB = 1 << 20;

function image(name: string, ...parts: readonly [number, Buffer][]): string {
  const path = join(folder, name);
  const content = Buffer.alloc(MIB);
  for (const [at, data] of parts) data.copy(content, at);
  writeFileSync(path, content);
  truncateSync(path, 64 * MIB);
  return path;
}

test("probeSignatures() finds nothing on an empty device", () => {
  assert.equal(native.probeSignatures(image("empty")), { signatures: [], table: [] });
});

test("probeSignatures() reads type, label and UUID", () => {
  const [found, ...more] = native.probeSignatures(image("swap", [0, swapArea(16384, "spare")])).signatures;
  assert.equal(found, {
    ...{ type: "swap", usage: "other", label: "spare", isDamaged: false },
    uuid: "5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a",
  });
  assert.is(more.length, 0);
});

test("probeSignatures() lists signatures that contradict each other, and damaged ones", () => {
  const swap = swapArea(16384, "");
  damagedLvmLabel().copy(swap, 512);
  const { signatures } = native.probeSignatures(image("both", [0, swap]));
  assert.equal(
    signatures.map(({ type, usage, isDamaged }) => [type, usage, isDamaged]),
    [
      ["LVM2_member", "raid", true],
      ["swap", "other", false],
    ],
  );
});

test("probeSignatures() lists the partitions of a GPT with their names", () => {
  const table = gptTable((64 * MIB) / 512, [
    { label: "root", startSector: 2048, sectors: 20480 },
    { label: "home", startSector: 22528, sectors: 2048 },
  ]);
  const found = native.probeSignatures(image("gpt", [0, table]));
  assert.equal(found.table, [
    { number: 1, label: "root", sizeBytes: 20480n * 512n },
    { number: 2, label: "home", sizeBytes: 2048n * 512n },
  ]);
  assert.equal(
    found.signatures.map(({ type, usage }) => [type, usage]),
    [["gpt", "partition-table"]],
  );
});

test("probeSignatures() finds a GPT whose protective MBR is gone", () => {
  const table = gptTable((64 * MIB) / 512, [{ startSector: 2048, sectors: 2048 }]);
  table.fill(0, 0, 512);
  assert.is(native.probeSignatures(image("bare-gpt", [0, table])).table.length, 1);
});

test("probeSignatures() knows a DOS table", () => {
  const found = native.probeSignatures(image("dos", [0, dosTable([{ startSector: 2048, sectors: 2048 }])]));
  assert.is(found.signatures[0]?.type, "dos");
  assert.equal(found.table, [{ number: 1, label: null, sizeBytes: 2048n * 512n }]);
});

test("probeSignatures() names the path that it can't open", () => {
  assert.throws(
    () => native.probeSignatures(join(folder, "absent")),
    (error: Error) => error instanceof SyscallError && error.code === "ENOENT",
  );
});

test("a library that is not installed is an error of its own", () => {
  const missing = systemLibrary("libp2pdma-no-such.so.9", { nothing: ["int", []] });
  assert.throws(
    () => missing("nothing"),
    (error: Error) => error instanceof MissingLibraryError && /libp2pdma-no-such/.test(error.message),
  );
});

test.run();
