// SPDX-License-Identifier: MIT
// The library from the packed package, in the guest: its examples, and what only real p2pmem shows.
import { randomBytes } from "node:crypto";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { drive, pciSwitch, rootPort, topology } from "../../lab/topology.ts";
import { compileIn, packedProject } from "../packed-project.ts";
import { tempFolder } from "../unit/temp.ts";
import { registerChecks, runInLab } from "./boot.ts";

const SIZE_MIB = 32;
const project = packedProject("lab");
const complaints = compileIn(project);
const program = join(project.folder, "lab-cases.mjs");
buildSync({
  entryPoints: [join(import.meta.dirname, "guest", "library-cases.ts")],
  ...{
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "warning",
  },
  external: ["p2pdma", "ffi-napi", "ref-napi"],
});

const shelf = topology({
  name: "shelf",
  summary: "A, B and C with CMBs, D, and E with a bad sector, below one switch",
  pci: [
    rootPort(
      pciSwitch(
        drive("A", { cmbMiB: 64, sizeMiB: SIZE_MIB }),
        drive("B", { cmbMiB: 32, sizeMiB: SIZE_MIB }),
        drive("C", { cmbMiB: 32, sizeMiB: SIZE_MIB }),
        drive("D", { sizeMiB: SIZE_MIB }),
        drive("E", { sizeMiB: 8, mediumErrors: [{ on: "read", sector: (4 << 20) / 512 }] }),
      ),
    ),
  ],
});

const folder = tempFolder("shelf");
const [a, b, c, d] = ["A", "B", "C", "D"].map((letter) => join(folder, `${letter}.img`)) as [
  ...[string, string, string, string],
];
for (const full of [a, c]) writeFileSync(full, randomBytes(SIZE_MIB << 20));
for (const blank of [b, d]) {
  writeFileSync(blank, "");
  truncateSync(blank, SIZE_MIB << 20);
}

const result = await runInLab({
  ...{ topology: shelf, disks: [a, b, c, d], command: ["node", program], timeoutMs: 420_000 },
});
registerChecks(result, 15);

test("the examples compiled", () => {
  assert.is(complaints, "");
});

test("the shelf was moved, as the host sees it", () => {
  assert.ok(readFileSync(a).equals(readFileSync(b)), "B differs from A");
  assert.ok(readFileSync(c).equals(readFileSync(d)), "D differs from C");
});

test.run();
