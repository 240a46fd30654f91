// SPDX-License-Identifier: MIT
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkStacking } from "../../../../core/copy/stacking.ts";
import { SystemFiles } from "../../../../core/sysfs.ts";
import { tempFolder } from "../../temp.ts";
import { fakeDrive, fakeFile } from "./fakes.ts";

const root = tempFolder("stacking");
const sys = new SystemFiles(root);
const write = (path: string, text: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};
const image = join(root, "image");
writeFileSync(image, "x");
const { dev, ino } = statSync(image, { bigint: true });
write("sys/class/block/nvme0n1/nvme0n1p2/partition", "2");
write("sys/class/block/dm-0/slaves/nvme0n1p2/partition", "2");
write("sys/class/block/dm-1/slaves/dm-0/size", "1");
write("sys/class/block/loop0/loop/backing_file", image);
write("sys/class/block/loop1/loop/backing_file", image);
write("sys/class/block/loop2/loop/backing_file", join(root, "another"));

const disk = (name: string, whole = name) => fakeDrive(name, "0000:01:00.0", { disk: whole });
const file = fakeFile("/image", 1n, { inode: `${dev}:${ino}` });

const refusedPairs = [
  ["a volume and its partition", disk("dm-0"), disk("nvme0n1p2", "nvme0n1")],
  ["a volume and the whole disk below", disk("dm-0"), disk("nvme0n1")],
  ["a volume on a volume, and the disk", disk("dm-1"), disk("nvme0n1")],
  ["a loop device and its file", disk("loop0"), file],
  ["two loop devices of one file", disk("loop0"), disk("loop1")],
] as const;

for (const [what, one, other] of refusedPairs) {
  test(`${what}: refused in both directions`, () => {
    for (const [src, dst] of [
      [one, other],
      [other, one],
    ] as const) {
      assert.throws(() => checkStacking(sys, src, dst), /one is made of the other, or both of the same file/);
    }
  });
}

const allowedPairs = [
  ["a volume and another partition of the disk", disk("dm-0"), disk("nvme0n1p1", "nvme0n1")],
  ["two drives", disk("nvme0n1"), disk("nvme1n1")],
  ["a loop device and another file", disk("loop2"), file],
  ["a loop device and itself, which the ranges decide", disk("loop0"), disk("loop0")],
] as const;

for (const [what, src, dst] of allowedPairs) test(`${what}: allowed`, () => checkStacking(sys, src, dst));

test.run();
