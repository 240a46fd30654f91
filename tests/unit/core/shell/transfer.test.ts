// SPDX-License-Identifier: MIT
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parsePlace } from "../../../../core/shell/transfer.ts";
import { tempFolder } from "../../temp.ts";

test("parsePlace() takes an offset off a device's name", () => {
  assert.equal(parsePlace("/dev/nvme0n1"), { device: "/dev/nvme0n1", deviceOffset: 0n });
  assert.equal(parsePlace("/dev/nvme0n1@1M"), { device: "/dev/nvme0n1", deviceOffset: 1n << 20n });
  assert.equal(parsePlace("serial:S5/2@1.5k"), { device: "serial:S5/2", deviceOffset: 1536n });
  assert.equal(parsePlace("/dev/disk/by-path/a@b"), { device: "/dev/disk/by-path/a@b", deviceOffset: 0n });
  assert.throws(() => parsePlace("/dev/nvme0n1@1X"), /"1X" is no size/);
});

test("parsePlace() never takes one file for another", () => {
  const file = join(tempFolder("place"), "image@512");
  writeFileSync(file, "");
  assert.equal(parsePlace(file), { device: file, deviceOffset: 0n });
});

test.run();
