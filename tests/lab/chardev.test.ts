// SPDX-License-Identifier: MIT
// Every way a copy can go, with memory from the NVMe character device alone: the allocator in sysfs is hidden.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { captureIn, startLab } from "../../lab/run.ts";
import { guestProgram, p2pdma, registerChecks } from "./boot.ts";

/** mmap() of /dev/null is ENODEV; of an empty file it would succeed. */
const hide =
  'for file in /sys/bus/pci/devices/*/p2pmem/allocate; do mount --bind /dev/null "$file" || exit; done';

const lab = await startLab({ topology: "switch" });
try {
  const hidden = await captureIn(lab, { command: ["sh", "-c", hide] });
  const sysfs = await captureIn(lab, {
    command: ["timeout", "60", ...p2pdma, "cmb", "alloc", "--allocator", "sysfs", "nvme0", "1M"],
    timeoutMs: 120_000,
  });
  test("the allocator in sysfs is hidden: p2pmem can't be had there", () => {
    assert.is(hidden.exitCode, 0, hidden.stderr);
    assert.is(sysfs.exitCode, 3, `${sysfs.stdout}${sysfs.stderr}`);
    assert.match(sysfs.stderr, /p2pmem\/allocate/);
  });
  const matrix = await captureIn(lab, { command: [...guestProgram("copy-matrix"), "chardev"] });
  registerChecks({ ...matrix, consoleTail: lab.consoleTail() }, 50);
} finally {
  await lab.close();
}

test.run();
