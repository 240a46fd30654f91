// SPDX-License-Identifier: MIT
// What needs a drive is tested in the lab; here is what the kernel says without one.
import { constants, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { native, SyscallError } from "../../../ffi/index.ts";
import { tempFolder } from "../temp.ts";

const folder = tempFolder("nvme-command");
const failsWith = (code: string) => (error: Error) => error instanceof SyscallError && error.code === code;

async function withNull<T>(use: (file: ReturnType<typeof native.open>) => T | Promise<T>): Promise<T> {
  const file = native.open("/dev/null", constants.O_RDWR);
  try {
    return await use(file);
  } finally {
    native.close(file);
  }
}

test("passthrough to what is no NVMe device is ENOTTY", () =>
  withNull((file) => {
    assert.throws(() => native.nvmeAdminCommand(file, { opcode: 6 }), failsWith("ENOTTY"));
    assert.throws(
      () => native.nvmeIoCommand(file, { opcode: 5, data: Buffer.alloc(512) }),
      failsWith("ENOTTY"),
    );
  }));

test("a Copy that the kernel does not send rejects with its errno", () =>
  withNull(async (file) => {
    const bitmap = Buffer.alloc(1);
    const run = native.startNvmeCopy({
      ...{ file, nsid: 1, lbaBytes: 512, srcBaseBytes: 0n, dstBaseBytes: 0n, chunkBytes: 4096, bitmap },
      extents: [{ srcOffset: 0n, dstOffset: 8192n, lengthBytes: 4096n }],
      ...{ depth: 2, rangeLbas: 8, commandLbas: 8, ranges: 1 },
    });
    const error = await run.done.then(
      () => undefined,
      (problem: Error) => problem,
    );
    assert.ok(error && failsWith("ENOTTY")(error), String(error));
    assert.is(bitmap[0], 0);
  }));

test("punchHole() makes zeroes of a range alone, and carries the errno over from its thread", async () => {
  const path = join(folder, "punched");
  writeFileSync(path, Buffer.alloc(16_384, 7));
  const file = native.open(path, constants.O_RDWR);
  await native.punchHole(file, 4096n, 8192n);
  assert.is(native.seekHole(file, 0n), 4096n);
  assert.is(native.seekData(file, 4096n), 12_288n);
  assert.is(native.seekData(file, 16_384n), undefined);
  native.close(file);
  const wanted = Buffer.concat([Buffer.alloc(4096, 7), Buffer.alloc(8192), Buffer.alloc(4096, 7)]);
  assert.ok(readFileSync(path).equals(wanted));
  await withNull(async (none) => {
    const error = await native.punchHole(none, 0n, 4096n).catch((problem: Error) => problem);
    assert.ok(error && failsWith("ENODEV")(error), String(error));
  });
});

test.run();
