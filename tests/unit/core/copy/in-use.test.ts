// SPDX-License-Identifier: MIT
import { linkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findBackings } from "../../../../core/copy/backings.ts";
import { describeUse, fileKey, findUses } from "../../../../core/copy/in-use.ts";
import { BlockTree } from "./block-tree.ts";

const tree = () =>
  new BlockTree().disk("nvme0n1", "259:0").partition("nvme0n1", 1, "259:1").partition("nvme0n1", 2, "259:2");
const uses = (from: BlockTree, name: string, disk = name) =>
  findUses(from.sys, name, disk).map((use) => describeUse(use));

test("findUses() finds nothing on a free disk, and not what other disks do", () => {
  const other = tree().disk("nvme1n1", "259:5").mounts("30 22 259:5 / /mnt rw - ext4 /dev/nvme1n1 rw");
  assert.equal(uses(other.swaps("/dev/nvme1n1"), "nvme0n1"), []);
});

test("findUses() counts partitions for their disk and the disk for its partitions", () => {
  const mounted = tree().mounts("30 22 259:1 / /mnt rw - ext4 /dev/nvme0n1p1 rw");
  assert.equal(uses(mounted, "nvme0n1"), ["nvme0n1p1 is mounted on /mnt"]);
  assert.equal(uses(mounted, "nvme0n1p1", "nvme0n1"), ["nvme0n1p1 is mounted on /mnt"]);
  assert.equal(uses(mounted, "nvme0n1p2", "nvme0n1"), []);
  const whole = tree().folder("/sys/class/block/nvme0n1/holders/md0");
  assert.equal(uses(whole, "nvme0n1p2", "nvme0n1"), ["nvme0n1 is held by md0"]);
});

test("findUses() names swap areas, and device mapper holders by their own name", () => {
  assert.equal(uses(tree().swaps("/dev/nvme0n1p2"), "nvme0n1"), ["/dev/nvme0n1p2 is in use as swap"]);
  const held = tree()
    .folder("/sys/class/block/nvme0n1p1/holders/dm-0")
    .file("/sys/class/block/dm-0/dm/name", "vg-root");
  assert.equal(uses(held, "nvme0n1"), ["nvme0n1p1 is held by vg-root"]);
});

test("findUses() finds a mount whose number is no device's by what was mounted", () => {
  const btrfs = tree().mounts("30 22 0:44 / /data rw - btrfs /dev/nvme0n1p2 rw");
  assert.equal(uses(btrfs, "nvme0n1"), ["nvme0n1p2 is mounted on /data"]);
});

test("findUses() looks at other paths to the same namespace", () => {
  const paths = () =>
    new BlockTree()
      .disk("nvme0n1", "259:0", "eui.1")
      .disk("nvme1n1", "259:3", "eui.1")
      .partition("nvme1n1", 1, "259:4")
      .disk("nvme2n1", "259:8", "eui.2");
  const mounted = paths().mounts("30 22 259:4 / /mnt rw - ext4 /dev/nvme1n1p1 rw");
  assert.equal(uses(mounted, "nvme0n1"), ["nvme1n1p1 is mounted on /mnt"]);
  assert.equal(uses(mounted, "nvme0n1p1", "nvme0n1"), ["nvme1n1p1 is mounted on /mnt"]);
  assert.equal(uses(mounted, "nvme2n1"), []);
});

test("findUses() takes no unknown number for a match", () => {
  const numberless = new BlockTree().folder("/sys/class/block/nvme0n1").swaps("/dev/gone");
  assert.equal(uses(numberless, "nvme0n1"), []);
});

test("findBackings() knows files behind loop devices, NVMe targets and swap, under any name", () => {
  const files = new BlockTree();
  const path = join(files.root, "image");
  writeFileSync(path, "");
  const link = join(files.root, "same");
  linkSync(path, link);
  const parts = new Map([[fileKey(path)?.key ?? "", path]]);
  assert.equal(findBackings(files.sys, parts), []);
  const space = "/sys/kernel/config/nvmet/subsystems/nqn.x/namespaces/1";
  files
    .file("/sys/class/block/loop3/loop/backing_file", link)
    .file("/sys/class/block/loop4/loop/backing_file", "/gone (deleted)")
    .file(`${space}/device_path`, path)
    .file(`${space}/enable`, "1")
    .swaps(link);
  assert.equal(
    findBackings(files.sys, parts).map((use) => describeUse(use)),
    [
      `${path} is held by loop3`,
      `${path} is held by the NVMe target nqn.x, namespace 1`,
      `${link} is in use as swap`,
    ],
  );
  files.file(`${space}/enable`, "0");
  assert.is(findBackings(files.sys, parts).length, 2);
});

test.run();
