// SPDX-License-Identifier: MIT
// Asked of this machine for real: nothing here needs a device or root.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { thisMachine } from "../../../../core/doctor/here.ts";
import { listStuckTasks } from "../../../../core/doctor/stuck-tasks.ts";
import { SystemFiles } from "../../../../core/sysfs.ts";
import { native } from "../../../../ffi/index.ts";
import { tempFolder } from "../../temp.ts";

const folder = tempFolder("here");
const file = join(folder, "file");
writeFileSync(file, "x");
mkdirSync(join(folder, "sub"));
const here = thisMachine(native);

test("stat() takes the directory for a file to be made, and never one below /dev", () => {
  assert.is(here.stat(file)?.kind, "file");
  assert.is(here.stat(join(folder, "sub"))?.kind, "directory");
  assert.equal(here.stat(join(folder, "new")), here.stat(folder));
  assert.is(here.stat(join(folder, "missing", "new")), undefined);
  assert.is(here.stat("/dev/nvme99n1"), undefined);
  assert.is(here.stat("/dev/null")?.kind, "other");
});

test("canAccess() tells missing from allowed", () => {
  assert.is(here.canAccess(file, "read-write"), true);
  assert.is(here.canAccess(join(folder, "none"), "read"), undefined);
});

test("directAlignment() of a file that is not there is unknown", () => {
  assert.is(here.directAlignment(join(folder, "none")), undefined);
});

test("kernelLog() ends, with or without the right to read it", () => {
  const lines = here.kernelLog();
  assert.ok(lines === undefined || lines.every((line) => !/^\d+,\d+,/.test(line)));
});

test("listStuckTasks() looks at every process here", () => {
  assert.ok(Array.isArray(listStuckTasks(new SystemFiles())));
});

test.run();
