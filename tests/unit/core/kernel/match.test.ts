// SPDX-License-Identifier: MIT
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openSourceTree, SourceTree } from "../../../../core/kernel/index.ts";
import { matchProbe } from "../../../../core/kernel/match.ts";
import type { Probe } from "../../../../core/kernel/probe.ts";
import { tempFolder } from "../../temp.ts";

const scratch = tempFolder("trees");
let trees = 0;

function tree(files: Readonly<Record<string, string>>): SourceTree {
  const root = join(scratch, String(trees++));
  mkdirSync(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return new SourceTree(root);
}

const FN = "int maps(int flags)\n{\n\treturn helper(flags);\n}\n";
const OPS = "static const struct file_operations ops = {\n\t.mmap = maps,\n};\n";
const fn: Probe = { fn: "maps", in: ["drivers/pci/p2pdma.c"] };
const body: Probe = { ...fn, body: /\bhelper\b/ };
const parameters: Probe = { ...fn, parameters: /\bpgoff\b/ };
const field: Probe = { variable: "ops", sets: /\.mmap\s*=/, in: ["drivers/pci/p2pdma.c"] };
const text: Probe = { code: /\bhelper\b/, in: ["drivers/pci/p2pdma.c"] };

const rows: [string, Record<string, string>, Probe, string][] = [
  ["a function where it belongs", { "drivers/pci/p2pdma.c": FN }, fn, "present"],
  [
    "a function in another file",
    { "drivers/pci/p2pdma.c": "\n", "drivers/pci/dma/new.c": FN },
    fn,
    "present",
  ],
  ["a function whose file is gone", { "drivers/pci/dma/new.c": FN }, fn, "present"],
  ["a function in a comment", { "drivers/pci/p2pdma.c": `/*\n${FN}*/\n` }, fn, "absent"],
  ["a disabled function", { "drivers/pci/p2pdma.c": `#if 0\n${FN}#endif\n` }, fn, "absent"],
  ["a prototype", { "drivers/pci/p2pdma.c": "int maps(int flags);\n" }, fn, "absent"],
  ["a call in the function", { "drivers/pci/p2pdma.c": FN }, body, "present"],
  [
    "a call elsewhere",
    { "drivers/pci/p2pdma.c": FN.replace("helper", "x") + FN.replace("maps", "y") },
    body,
    "absent",
  ],
  ["a parameter that is not there", { "drivers/pci/p2pdma.c": FN }, parameters, "absent"],
  ["a file that is empty", { "drivers/pci/p2pdma.c": "" }, fn, "unknown"],
  ["a file that is no text", { "drivers/pci/p2pdma.c": `\0${FN}` }, fn, "unknown"],
  ["a file that is cut off", { "drivers/pci/p2pdma.c": "int other(int" }, fn, "unknown"],
  ["a function that is cut off", { "drivers/pci/p2pdma.c": FN.slice(0, 25) }, body, "unknown"],
  ["what stands before the cut", { "drivers/pci/p2pdma.c": `${FN}int oth` }, body, "present"],
  ["a file with DOS line ends", { "drivers/pci/p2pdma.c": FN.replaceAll("\n", "\r\n") }, body, "present"],
  ["a tree without the file", { "mm/gup.c": FN }, fn, "unknown"],
  ["a member that is set", { "drivers/pci/p2pdma.c": OPS }, field, "present"],
  ["a member that is not set", { "drivers/pci/p2pdma.c": OPS.replace(".mmap", ".open") }, field, "absent"],
  [
    "a member set in a comment",
    { "drivers/pci/p2pdma.c": OPS.replace("\t.mmap = maps,", "/* .mmap = maps */") },
    field,
    "absent",
  ],
  ["code", { "drivers/pci/p2pdma.c": FN }, text, "present"],
  ["code in a comment", { "drivers/pci/p2pdma.c": "// helper\n" }, text, "absent"],
  ["code in a tree without the file", { "mm/gup.c": FN }, text, "unknown"],
  [
    "an option",
    { "mm/Kconfig": "config ZONE_DEVICE\n\tbool" },
    { option: "ZONE_DEVICE", in: ["mm/Kconfig"] },
    "present",
  ],
  [
    "an option that is only used",
    { "mm/Kconfig": "config X\n\tdepends on ZONE_DEVICE\n" },
    { option: "ZONE_DEVICE", in: ["mm/Kconfig"] },
    "absent",
  ],
  [
    "what must not be there and is not",
    { "drivers/pci/p2pdma.c": "\n" },
    { without: { fn: "maps", in: ["drivers/pci/p2pdma.c"] } },
    "present",
  ],
  [
    "what must not be there and is",
    { "drivers/pci/p2pdma.c": FN },
    { without: { fn: "maps", in: ["drivers/pci/p2pdma.c"] } },
    "absent",
  ],
  [
    "all of which one cannot be seen",
    { "drivers/pci/p2pdma.c": FN },
    { all: [fn, { code: /x/, in: ["mm/gup.c"] }] },
    "unknown",
  ],
  [
    "any of which one cannot be seen",
    { "drivers/pci/p2pdma.c": "\n" },
    { any: [fn, { code: /x/, in: ["mm/gup.c"] }] },
    "unknown",
  ],
];
for (const [what, files, probe, state] of rows) {
  test(`matchProbe() of ${what}: ${state}`, () => assert.is(matchProbe(tree(files), probe).state, state));
}

test("matchProbe() says where", () => {
  const moved = tree({ "drivers/pci/p2pdma.c": "\n", "drivers/pci/dma/new.c": `\n\n${FN}` });
  assert.is(matchProbe(moved, fn).where, "drivers/pci/dma/new.c:3 maps()");
  assert.match(
    matchProbe(tree({ "drivers/pci/p2pdma.c": "\n" }), fn).where,
    /no maps\(\) in drivers\/pci\/p2pdma\.c/,
  );
});

test("matchProbe() does not follow links in circles, and reads a link to a file", () => {
  const linked = tree({ "drivers/pci/dma/new.c": FN, "drivers/nvme/x.h": "" });
  const folder = join(linked.root, "drivers/pci");
  symlinkSync("..", join(folder, "up"));
  symlinkSync("p2pdma.c", join(folder, "p2pdma.c"));
  assert.is(matchProbe(linked, fn).where, "drivers/pci/dma/new.c:1 maps()");
  renameSync(join(folder, "dma/new.c"), join(linked.root, "elsewhere.c"));
  symlinkSync("../../elsewhere.c", join(folder, "linked.c"));
  assert.is(matchProbe(new SourceTree(linked.root), fn).where, "drivers/pci/linked.c:1 maps()");
});

test("openSourceTree() refuses what is no kernel source", () => {
  for (const files of [
    { "a.c": "" },
    { Makefile: "VERSION = 6\nPATCHLEVEL = 1\n" },
    { "include/linux/mm.h": "" },
  ]) {
    assert.throws(
      () => openSourceTree(tree(files).root),
      (error: { exitCode?: number }) => error.exitCode === 2,
    );
  }
  assert.throws(() => openSourceTree("/nowhere"), /no directory/);
  const circle = join(scratch, "circle");
  symlinkSync("circle", circle);
  assert.throws(() => openSourceTree(circle), /Cannot look into ".*circle": ELOOP/);
});

test("SourceTree.version() is what the Makefile says", () => {
  const makefile = "# SPDX\nVERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 3\nEXTRAVERSION = -rc1\n";
  assert.is(tree({ Makefile: makefile }).version(), "6.12.3-rc1");
});

test.run();
