// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readEnd } from "../../../../core/doctor/ends.ts";
import type { Here } from "../../../../core/doctor/here.ts";
import type { P2pdmaError } from "../../../../core/errors.ts";
import { readMachine } from "../../../../core/topo/index.ts";
import { A, fakeHere, server } from "./healthy.ts";

const files = server();
files.link("/dev/disk/by-id/nvme-test", "/dev/nvme0n1");
files.write("/proc/self/mountinfo", "30 22 259:0 / /mnt rw - xfs /dev/nvme0n1 rw\n");
const machine = readMachine(files);
const here = fakeHere({
  paths: {
    "/mnt": { kind: "directory", number: "259:0" },
    "/mnt/image": { kind: "file", number: "259:0" },
    "/dev/mapper/x": { kind: "block", number: "259:0" },
    "./nvme0n1": { kind: "file", number: "0:30" },
  },
});

function end(word: string, on: Here | undefined) {
  const { device, block, file } = readEnd(files, machine, on, "source", word);
  return [device?.bdf, block?.name, file && `${file.fileSystem} ${file.alignmentBytes}`];
}

const words: readonly (readonly [string, ReturnType<typeof end>])[] = [
  ["nvme0", [A, "nvme0n1", undefined]],
  ["/dev/nvme0", [A, "nvme0n1", undefined]],
  [A, [A, "nvme0n1", undefined]],
  ["03:00.0", [A, "nvme0n1", undefined]],
  ["nvme0n1", [A, "nvme0n1", undefined]],
  ["/dev/nvme0n1", [A, "nvme0n1", undefined]],
  ["/dev/disk/by-id/nvme-test", [A, "nvme0n1", undefined]],
  ["/dev/mapper/x", [A, "nvme0n1", undefined]],
  ["/mnt", [A, "nvme0n1", "xfs undefined"]],
  ["/mnt/image", [A, "nvme0n1", "xfs 512"]],
  ["./nvme0n1", [undefined, undefined, "undefined 512"]],
];

for (const [word, expected] of words) {
  test(`readEnd() understands ${word}`, () => {
    assert.equal(end(word, here), expected);
  });
}

test("readEnd() understands devices of a capture, and has no files there", () => {
  assert.equal(end("/dev/nvme0n1", undefined), [A, "nvme0n1", undefined]);
  assert.throws(
    () => end("/mnt/image", undefined),
    (error: P2pdmaError) => error.code === "USAGE",
  );
});

test("readEnd() refuses what is not there", () => {
  for (const word of ["nvme9", "/dev/nvme9n1", "/nowhere/file"]) {
    assert.throws(
      () => end(word, here),
      (error: P2pdmaError) => error.code === "USAGE",
    );
  }
});

test("readEnd() asks for the right to write of a destination only", () => {
  const asked: string[] = [];
  const asking: Here = { ...here, canAccess: (path, mode) => asked.push(`${mode} ${path}`) > 0 };
  readEnd(files, machine, asking, "source", "nvme0");
  readEnd(files, machine, asking, "destination", "/mnt/image");
  assert.equal(asked, ["read /dev/nvme0n1", "read-write /mnt/image"]);
});

test.run();
