// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { resolveRange } from "../../../../core/copy/range.ts";
import { checkOverlap, mayWrite } from "../../../../core/copy/safety.ts";
import type { P2pdmaError } from "../../../../core/errors.ts";
import { SystemFiles } from "../../../../core/sysfs.ts";
import { fakeDrive, fakeFile } from "./fakes.ts";

const sys = new SystemFiles("/nonexistent");

const disk = fakeDrive("nvme0n1", "0000:03:00.0");
const part = fakeDrive("nvme0n1p1", "0000:03:00.0", { disk: "nvme0n1", startBytes: 1n << 20n });
const other = fakeDrive("nvme1n1", "0000:04:00.0");

test("checkOverlap() sees through partitions", () => {
  const range = resolveRange(disk, part, { offset: 1n << 20n, length: 512n });
  assert.throws(() => checkOverlap(disk, part, range), /overlap on the same disk/);
});

test("checkOverlap() allows ranges that only touch", () => {
  checkOverlap(disk, disk, resolveRange(disk, disk, { offset: 0n, length: 4096n, seek: 4096n }));
});

test("checkOverlap() refuses by one block", () => {
  const range = resolveRange(disk, disk, { offset: 0n, length: 4608n, seek: 4096n });
  assert.throws(() => checkOverlap(disk, disk, range), /overlap/);
});

test("checkOverlap() knows a file by its inode", () => {
  const file = fakeFile("/a", 4096n);
  const link = fakeFile("/b", 4096n, { inode: "1:/a" });
  assert.throws(() => checkOverlap(file, link, resolveRange(file, link, {})), /same file/);
});

test("checkOverlap() allows other disks and empty ranges", () => {
  checkOverlap(disk, other, resolveRange(disk, other, {}));
  checkOverlap(disk, disk, resolveRange(disk, disk, { length: 0n }));
});

test("checkOverlap() knows two paths to one namespace by its WWID", () => {
  const identity = { model: "M", serial: "S", wwid: "eui.1" };
  const here = fakeDrive("nvme0n1", "0000:03:00.0", { identity });
  const there = fakeDrive("nvme1n1", "0000:04:00.0", { identity });
  assert.throws(() => checkOverlap(here, there, resolveRange(here, there, {})), /same disk/);
});

test("checkOverlap() refuses a file on the destination, but not beside the range", () => {
  const file = fakeFile("/mnt/a/image", 4096n, {
    device: part.device && { ...part.device, sizeBytes: 4096n },
  });
  const at = (seek: bigint) => resolveRange(file, disk, { seek });
  assert.throws(
    () => checkOverlap(file, disk, at(1n << 20n)),
    (error: P2pdmaError) => error.exitCode === 7 && /"\/mnt\/a\/image" is a file on it/.test(error.message),
  );
  checkOverlap(file, disk, at((1n << 20n) + 4096n));
  checkOverlap(file, disk, at((1n << 20n) - 4096n));
  checkOverlap(file, other, at(0n));
});

test("mayWrite() needs the device to be named, files are free", () => {
  assert.is(mayWrite(sys, other, []), false);
  assert.is(mayWrite(sys, other, ["/dev/null"]), false);
  assert.is(mayWrite(sys, other, "all"), true);
  assert.is(mayWrite(sys, fakeFile("/a", 0n), []), true);
});

test.run();
