// SPDX-License-Identifier: MIT
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseKernelConfig, readConfigFile } from "../../../../core/kernel/index.ts";
import { tempFolder } from "../../temp.ts";

const scratch = tempFolder("config-file");
const TEXT = "# Linux/x86 6.12.1 Kernel Configuration\nCONFIG_PCI=y\n# CONFIG_PCI_P2PDMA is not set\n";

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(scratch, name), content);
  return join(scratch, name);
}

const compressed: readonly [string, () => Uint8Array][] = [
  ["nothing", () => Buffer.from(TEXT)],
  ["gzip", () => gzipSync(TEXT)],
  ["xz", () => spawnSync("xz", ["-c"], { input: TEXT }).stdout],
];
for (const [name, compress] of compressed) {
  test(`readConfigFile() unpacks ${name}`, () =>
    assert.is(readConfigFile(file(`by-${name}`, compress())), TEXT));
}

test("a configuration with DOS line ends is read like any other", () => {
  const { release, values } = parseKernelConfig(TEXT.replaceAll("\n", "\r\n"), ".config");
  assert.equal([release, values.get("PCI"), values.get("PCI_P2PDMA")], ["6.12.1", "y", "n"]);
});

mkdirSync(join(scratch, "folder"));
const unreadable: readonly [string, () => string, RegExp][] = [
  ["nothing", () => join(scratch, "none"), /Cannot read ".*none": ENOENT/],
  ["a folder", () => join(scratch, "folder"), /Cannot read ".*folder": EISDIR/],
  ["what never ends", () => "/dev/zero", /"\/dev\/zero" is no kernel configuration: it is too large/],
  ["half an archive", () => file("half.gz", gzipSync(TEXT).subarray(0, 40)), /Cannot unpack ".*half.gz"/],
  ["a bomb", () => file("bomb.gz", gzipSync(Buffer.alloc(64 << 20))), /Cannot unpack ".*bomb.gz"/],
  ["half of xz's", () => file("half.xz", compressed[2]?.[1]().subarray(0, 40) ?? ""), /Cannot unpack .*xz: /],
];
for (const [what, path, message] of unreadable) {
  test(`readConfigFile() of ${what} is an error with one message`, () => {
    assert.throws(
      () => readConfigFile(path()),
      (error: { exitCode?: number; message: string }) => error.exitCode === 2 && message.test(error.message),
    );
  });
}

test.run();
