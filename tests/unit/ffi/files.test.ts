// SPDX-License-Identifier: MIT
import {
  closeSync,
  constants,
  openSync,
  readFileSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { native, SyscallError } from "../../../ffi/index.ts";
import { tempFolder } from "../temp.ts";

const folder = tempFolder("files");
const failsWith = (syscall: string, code: string, target: string) => (error: Error) =>
  error instanceof SyscallError &&
  error.syscall === syscall &&
  error.code === code &&
  error.target === target;

test("open() names call, errno and path when it fails", () => {
  const path = join(folder, "absent");
  assert.throws(() => native.open(path, constants.O_RDONLY), failsWith("open", "ENOENT", path));
});

test("readFully() and writeFully() move data at offsets past 4 GiB", () => {
  const path = join(folder, "big");
  const offset = (1n << 32n) + 4096n;
  const file = native.open(path, constants.O_RDWR | constants.O_CREAT);
  const out = native.mapRam(4096);
  const back = native.mapRam(4096);
  native.fill(out, 0x5a);
  native.writeFully(file, { mapping: out, offsetBytes: 0, lengthBytes: 4096 }, offset);
  assert.is(native.readFully(file, { mapping: back, offsetBytes: 0, lengthBytes: 4096 }, offset), 4096);
  native.writeFully(file, { mapping: back, offsetBytes: 0, lengthBytes: 4096 }, 0n);
  native.close(file);
  assert.is(statSync(path).size, Number(offset) + 4096);
  const head = Buffer.alloc(4096);
  const fd = openSync(path, "r");
  readSync(fd, head, 0, 4096, 0);
  closeSync(fd);
  assert.equal(head, Buffer.alloc(4096, 0x5a));
});

test("readFully() stops at the end of the file", () => {
  const path = join(folder, "short");
  writeFileSync(path, Buffer.alloc(5000, 1));
  const file = native.open(path, constants.O_RDONLY);
  const mapping = native.mapRam(8192);
  assert.is(native.readFully(file, { mapping, offsetBytes: 0, lengthBytes: 8192 }, 0n), 5000);
  native.close(file);
});

test("a range outside its mapping and an offset past 2^63-1 never reach the kernel", () => {
  const file = native.open("/dev/zero", constants.O_RDWR);
  const mapping = native.mapRam(4096);
  const read = (offsetBytes: number, lengthBytes: number, at: bigint) => () =>
    native.readFully(file, { mapping, offsetBytes, lengthBytes }, at);
  assert.throws(read(0, 4097, 0n), (error: Error) => error instanceof RangeError);
  assert.throws(read(-1, 1, 0n), (error: Error) => error instanceof RangeError);
  assert.throws(read(0, 1, (1n << 63n) - 1n), (error: Error) => error instanceof RangeError);
  assert.throws(read(0, 1, -1n), (error: Error) => error instanceof RangeError);
  native.close(file);
});

test("vectors gather and scatter in order", () => {
  const path = join(folder, "vector");
  const file = native.open(path, constants.O_RDWR | constants.O_CREAT);
  const mapping = native.mapRam(8192);
  native.fill(mapping, 7);
  const halves = [4096, 0].map((offsetBytes) => ({ mapping, offsetBytes, lengthBytes: 100 }));
  assert.is(native.writeVector(file, halves, 10n), 200);
  assert.is(native.readVector(file, halves, 10n), 200);
  native.close(file);
  assert.equal(readFileSync(path).subarray(10), Buffer.alloc(200, 7));
});

test("fallocate() reports what the kernel says", () => {
  const file = native.open("/dev/null", constants.O_RDWR);
  assert.throws(() => native.fallocate(file, 0n, 4096n), failsWith("fallocate", "ENODEV", "/dev/null"));
  native.close(file);
});

test("ftruncate(), fallocate(), fsync(), fdatasync() and flush() work on a file", async () => {
  const path = join(folder, "size");
  const file = native.open(path, constants.O_RDWR | constants.O_CREAT);
  native.fallocate(file, 0n, 10_000n);
  assert.is(statSync(path).size, 10_000);
  native.ftruncate(file, 3n);
  native.fsync(file);
  native.fdatasync(file);
  await native.flush(file);
  native.close(file);
  assert.is(statSync(path).size, 3);
});

test("flush() carries the errno over from its worker thread", async () => {
  const file = native.open("/dev/zero", constants.O_RDONLY);
  try {
    await native.flush(file);
    assert.unreachable("fdatasync of /dev/zero is not possible");
  } catch (error) {
    assert.ok(failsWith("fdatasync", "EINVAL", "/dev/zero")(error as Error));
  } finally {
    native.close(file);
  }
});

test("ioctl() passes a buffer and names the call when refused", () => {
  const file = native.open("/dev/null", constants.O_RDONLY);
  const TCGETS = 0x5401;
  assert.throws(
    () => native.ioctl(file, TCGETS, Buffer.alloc(64)),
    failsWith("ioctl", "ENOTTY", "/dev/null"),
  );
  native.close(file);
});

test("directAlignment() is a power of two or not told", () => {
  const path = join(folder, "aligned");
  writeFileSync(path, "x");
  truncateSync(path, 4096);
  const file = native.open(path, constants.O_RDONLY);
  const alignment = native.directAlignment(file);
  native.close(file);
  assert.ok(alignment === undefined || (alignment & (alignment - 1)) === 0);
});

test.run();
