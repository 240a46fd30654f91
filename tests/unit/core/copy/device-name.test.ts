// SPDX-License-Identifier: MIT
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { resolveDeviceName } from "../../../../core/copy/device-name.ts";
import type { P2pdmaError } from "../../../../core/errors.ts";
import { SystemFiles } from "../../../../core/sysfs.ts";
import { tempFolder } from "../../temp.ts";

const root = tempFolder("names");
const sys = new SystemFiles(root);

function plant(controller: string, serial: string, spaces: readonly [string, string][]): void {
  mkdirSync(join(root, "sys/class/nvme", controller), { recursive: true });
  writeFileSync(join(root, "sys/class/nvme", controller, "serial"), `${serial}   \n`);
  for (const [name, wwid] of spaces) {
    mkdirSync(join(root, "sys/class/nvme", controller, name), { recursive: true });
    mkdirSync(join(root, "sys/class/block", name), { recursive: true });
    writeFileSync(join(root, "sys/class/block", name, "wwid"), `${wwid}\n`);
    writeFileSync(join(root, "sys/class/block", name, "nsid"), `${name.at(-1)}\n`);
  }
}
plant("nvme0", "S1", [["nvme0n1", "eui.1"]]);
plant("nvme1", "S2", [
  ["nvme1n1", "eui.2"],
  ["nvme1n2", "eui.3"],
]);

const rows: [string, string][] = [
  ["serial:S1", "/dev/nvme0n1"],
  ["serial:S2/2", "/dev/nvme1n2"],
  ["wwid:eui.3", "/dev/nvme1n2"],
  ["/dev/nvme7n1", "/dev/nvme7n1"],
  ["serial", "serial"],
];
for (const [name, path] of rows) {
  test(`resolveDeviceName() reads "${name}" as ${path}`, () => assert.is(resolveDeviceName(sys, name), path));
}

test("resolveDeviceName() does not choose among several namespaces", () => {
  assert.throws(
    () => resolveDeviceName(sys, "serial:S2"),
    (error: P2pdmaError) => error.exitCode === 2 && /nvme1n1, \/dev\/nvme1n2/.test(error.message),
  );
});

for (const name of ["serial:S", "serial:S2/3", "wwid:eui.9"]) {
  test(`resolveDeviceName() does not find "${name}"`, () => {
    assert.throws(
      () => resolveDeviceName(sys, name),
      (error: P2pdmaError) => error.code === "NOT_FOUND",
    );
  });
}

test.run();
