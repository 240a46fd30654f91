// SPDX-License-Identifier: MIT
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { fileSystemOf, listMounts, listSwaps } from "../../../../core/copy/mounts.ts";
import { SystemFiles } from "../../../../core/sysfs.ts";

const root = mkdtempSync(join(tmpdir(), "p2pdma-mounts-"));
const sys = new SystemFiles(root);
test.after(() => rmSync(root, { recursive: true }));

test.before(() => {
  mkdirSync(join(root, "proc/self"), { recursive: true });
  writeFileSync(
    join(root, "proc/self/mountinfo"),
    [
      "22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw",
      "30 22 259:5 / /mnt/with\\040space ro,nosuid - xfs /dev/nvme1n1 ro",
      "31 22 0:25 / /no-optional rw - tmpfs none rw",
      "a torn line",
    ].join("\n"),
  );
  writeFileSync(join(root, "proc/swaps"), "Filename\tType\tSize\n/dev/nvme0n1p3  partition 100 0 -2\n");
});

test("listMounts() reads device, place and mode, with and without optional fields", () => {
  assert.equal(listMounts(sys), [
    {
      ...{ deviceNumber: "259:2", mountPoint: "/", fileSystem: "ext4", isReadOnly: false },
      source: "/dev/nvme0n1p2",
    },
    {
      ...{ deviceNumber: "259:5", mountPoint: "/mnt/with space", fileSystem: "xfs", isReadOnly: true },
      source: "/dev/nvme1n1",
    },
    {
      ...{ deviceNumber: "0:25", mountPoint: "/no-optional", fileSystem: "tmpfs", isReadOnly: false },
      source: "none",
    },
  ]);
});

test("fileSystemOf() finds the type by device number", () => {
  assert.is(fileSystemOf(sys, "259:5"), "xfs");
  assert.is(fileSystemOf(sys, "8:1"), undefined);
});

test("listSwaps() answers paths only", () => assert.equal(listSwaps(sys), ["/dev/nvme0n1p3"]));

test("listMounts() answers nothing where there is no mountinfo", () => {
  assert.equal(listMounts(new SystemFiles("/nonexistent")), []);
});

test.run();
