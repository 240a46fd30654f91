// SPDX-License-Identifier: MIT
import { constants } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { native, PAGE_BYTES, SyscallError } from "../../../ffi/index.ts";
import { tempFolder } from "../temp.ts";

const folder = tempFolder("memory");

test("mapRam() gives present pages, and pageFrames() shows them to root only", () => {
  const mapping = native.mapRam(4 * PAGE_BYTES);
  const frames = native.pageFrames(mapping);
  if (process.getuid?.() === 0) {
    assert.is(frames?.length, 4);
    assert.is(new Set(frames).size, 4);
  } else assert.is(frames, undefined);
  mapping.close();
});

test("a mapping closes twice without harm and is unusable afterwards", () => {
  const mapping = native.mapRam(PAGE_BYTES);
  mapping.close();
  mapping.close();
  assert.throws(() => native.fill(mapping, 0), /closed/);
});

test("mapShared() of something that can't be mapped names it", () => {
  const file = native.open("/proc/self/stat", constants.O_RDONLY);
  assert.throws(
    () => native.mapShared(file.fd, PAGE_BYTES, file.path),
    (error: Error) =>
      error instanceof SyscallError && error.syscall === "mmap" && error.target === "/proc/self/stat",
  );
  native.close(file);
});

test("prefault() turns SIGBUS into ENOMEM and the process lives on", () => {
  const file = native.open(join(folder, "one-page"), constants.O_RDWR | constants.O_CREAT);
  native.ftruncate(file, BigInt(PAGE_BYTES));
  const mapping = native.mapShared(file.fd, 4 * PAGE_BYTES, file.path);
  assert.throws(
    () => native.prefault(mapping),
    (error: Error) => error instanceof SyscallError && error.code === "ENOMEM",
  );
  native.ftruncate(file, BigInt(4 * PAGE_BYTES));
  native.prefault(mapping);
  mapping.close();
  native.close(file);
});

test("alignedBuffer() starts on a page", () => {
  for (const length of [1, 4096, 1 << 20]) assert.is(native.alignedBuffer(length).length, length);
});

test.run();
