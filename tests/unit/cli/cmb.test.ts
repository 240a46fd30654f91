// SPDX-License-Identifier: MIT
// cmb as a script meets it, on a machine without p2pmem and on captures of others.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Hexdump } from "../../../cli/cmb-hexdump.ts";
import { renderTest } from "../../../cli/cmb-test-text.ts";
import type { MemoryTestResult } from "../../../core/p2pmem/memtest.ts";
import { type TestReport, testDocument } from "../../../core/p2pmem/memtest-json.ts";
import { epyc } from "../../fixtures/machines/epyc.ts";
import { captureText } from "../machines.ts";
import { tempFolder } from "../temp.ts";

const program = join(import.meta.dirname, "..", "..", "..", "dist", "p2pdma.js");
const folder = tempFolder("cmb");
const capture = join(folder, "epyc.json");
writeFileSync(capture, captureText(epyc));

function p2pdma(...args: string[]) {
  return spawnSync(process.execPath, [program, "cmb", ...args], { encoding: "utf8" });
}

for (const command of ["show", "alloc", "fill", "dump", "test"]) {
  test(`cmb ${command} --help teaches by example`, () => {
    const { stdout, status } = p2pdma(command, "--help");
    assert.is(status, 0);
    assert.match(stdout, new RegExp(`Examples:[\\s\\S]*p2pdma cmb ${command}`));
  });
}

test("cmb --help names every command", () => {
  const { stdout, status } = p2pdma("--help");
  assert.is(status, 0);
  for (const command of ["show", "alloc", "fill", "dump", "test"])
    assert.match(stdout, new RegExp(`^ {2}p2pdma cmb ${command}`, "m"));
});

test("cmb show --from reads a capture as far as that goes", () => {
  const { stdout, status, stderr } = p2pdma("show", "--from", capture, "nvme0");
  assert.is(status, 0, stderr);
  assert.match(stdout, /^nvme0 \(0000:63:00\.0, KIOXIA KCD6/);
  assert.match(
    stdout,
    /CMB {9}256 MiB \(268435456 bytes\) in BAR 2, from byte 0 on: 0x18000000000-0x1800fffffff\n/,
  );
  assert.match(stdout, /not read .*: a capture has no BAR to read\n/);
});

test("cmb show --json of a capture is one document", () => {
  const { stdout, status } = p2pdma("show", "--from", capture, "--json");
  assert.is(status, 0);
  const { schema, controllers } = JSON.parse(stdout);
  assert.is(schema, "p2pdma.cmb/1");
  const states = Object.fromEntries(
    controllers.map((controller: { name: string; state: string }) => [controller.name, controller.state]),
  );
  assert.is(states.nvme0, "present");
  assert.is(states.nvme2, "unknown");
});

const mistakes: [string, string[], number, RegExp][] = [
  ["no command", ["frobnicate"], 2, /unknown command 'frobnicate'/],
  ["no provider", ["alloc"], 2, /missing required argument 'provider'/],
  ["no size", ["alloc", "nvme0"], 2, /missing required argument 'size'/],
  ["a size that is none", ["alloc", "nvme0", "lots"], 2, /size: "lots" is no size\nhint: sizes look like/],
  ["a device without p2pmem", ["alloc", "nvme99", "4k"], 3, /"nvme99" offers no p2pmem\nhint: p2pdma list/],
  [
    "a pattern that is none",
    ["fill", "nvme0", "4k", "--pattern", "stripes"],
    2,
    /--pattern: "stripes"[\s\S]*hint: /,
  ],
  ["a wrong allocator", ["fill", "nvme0", "4k", "--allocator", "malloc"], 2, /Allowed choices are/],
  ["a dump of nothing", ["dump", "nvme0", "0"], 2, /Cannot dump 0 bytes/],
  ["an offset that is none", ["dump", "nvme0", "4k", "--offset", "x"], 2, /--offset: "x"/],
  ["a wrong test pattern", ["test", "nvme0", "--pattern", "zebra"], 2, /Allowed choices are/],
  ["no passes", ["test", "nvme0", "--passes", "0"], 2, /--passes: "0"/],
  ["a seed that is none", ["test", "nvme0", "--seed", "-1"], 2, /--seed: "-1" is no seed/],
  ["a test of nothing", ["test", "nvme0", "0"], 2, /Cannot test 0 bytes/],
  ["DMA by CPU", ["test", "nvme0", "--by", "cpu", "--dma-from", "nvme1"], 2, /--dma-from needs/],
  ["a controller that is not there", ["show", "nvme99"], 1, /CMB of "nvme99": no such controller\nhint: /],
  ["a capture that is not there", ["show", "--from", join(folder, "none")], 1, /Cannot read capture/],
];
for (const [what, args, code, message] of mistakes) {
  test(`${what} exits ${code} with one clear error`, () => {
    const { status, stderr, stdout } = p2pdma(...args);
    assert.is(status, code, stderr);
    assert.match(stderr, message);
    assert.is(stdout, "");
    assert.not.match(stderr, /\n {4}at /);
  });
}

test("Hexdump writes what hexdump -C writes, in any portions", () => {
  const data = Buffer.concat([
    Buffer.alloc(64, "A"),
    randomBytes(100),
    Buffer.alloc(80),
    Buffer.from("the end\n\x7f\x80"),
  ]);
  const reference = spawnSync("hexdump", ["-C"], { input: data, encoding: "utf8" });
  for (const portion of [1, 7, 16, 100, data.length]) {
    const hexdump = new Hexdump(0n);
    let text = "";
    for (let at = 0; at < data.length; at += portion) text += hexdump.add(data.subarray(at, at + portion));
    text += hexdump.end();
    if (reference.status === 0) assert.is(text, reference.stdout);
    else assert.match(text, /^00000000 {2}41 41 .*\|AAAAAAAAAAAAAAAA\|\n\*\n00000040/);
  }
});

test("Hexdump counts from where it is told to", () => {
  const hexdump = new Hexdump(0x1000000008n);
  assert.is(
    hexdump.add(Buffer.from("0123456789abcdef")) + hexdump.end(),
    "1000000008  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n1000000018\n",
  );
});

const good: MemoryTestResult = {
  testedBytes: 2n << 20n,
  steps: [
    { test: "random", pass: 1, bytes: 8n << 20n, ms: 100, badWords: 0n },
    { test: "dma", pass: 1, bytes: 8n << 20n, ms: 500, badWords: 0n },
  ],
  ...{ bad: [], badRanges: 0n, badWords: 0n, isAllOnes: false, isComplete: true },
  dma: { transfers: 32n, bytes: 2n << 20n, isUniform: true, changed: 3n },
};

function reportOf(result: MemoryTestResult, over: Partial<TestReport> = {}): TestReport {
  return {
    provider: { bdf: "0000:03:00.0", name: "nvme0", sizeBytes: 64n << 20n } as TestReport["provider"],
    plan: { patterns: ["random"], client: undefined, seed: 1n, passes: 1 },
    result,
    places: [[{ start: 0xf4020000n, end: 0xf4220000n, bar: 2, barOffset: 131072n }]],
    client: { path: "/dev/nvme1n1", device: { client: "0000:04:00.0" } } as TestReport["client"],
    noDma: undefined,
    ...over,
  };
}

test("renderTest() tells what was tested, and what the test could not see", () => {
  assert.is(
    renderTest(reportOf(good)),
    `memory        2 MiB of 0000:03:00.0 (nvme0), 62 MiB not tested: in use or not asked for
              0xf4020000-0xf421ffff, BAR 2 from byte 131072 on
random        good, by CPU, 0.1 s (CPU 80 MiB/s)
dma           good, from /dev/nvme1n1 (0000:04:00.0), 0.5 s (CPU 16 MiB/s)
              32 transfers, 2 MiB; what lay between them was checked as well
              the medium holds the same bytes all over: transfers that change places go unnoticed
              3 transfers repeated: somebody writes to the medium meanwhile
result        good
`,
  );
});

const broken: MemoryTestResult["bad"][number] = {
  ...{ test: "random", content: "random, written by CPU", pass: 1, piece: 0 },
  ...{ offsetBytes: 4096n, lengthBytes: 64n, badWords: 2n, expected: 1n, got: 3n, badBits: 6n },
  place: { address: 0xf4021000n, bar: 2, barOffset: 135168n },
};
const bad: MemoryTestResult = {
  ...good,
  ...{ bad: Array(25).fill(broken), badRanges: 300n, badWords: 600n, dma: undefined },
};

test("renderTest() shows the first bad ranges and counts the rest", () => {
  const text = renderTest(reportOf(bad, { noDma: "no drive" }));
  assert.match(text, /dma {11}not tested: no drive\n/);
  assert.match(text, /result {8}BAD: 600 words in 300 ranges\n/);
  const line =
    "bad           0xf4021000 (BAR 2, byte 135168): 2 of 8 words (random, written by CPU); the first: " +
    "0x0000000000000003 instead of 0x0000000000000001, wrong bits 0x0000000000000006\n";
  assert.is(text.split(line).length - 1, 20);
  assert.match(text, /\n {14}and 280 more\n$/);
});

test("testDocument() has every bad range, and strings for what may pass 2^53", () => {
  const document = JSON.parse(JSON.stringify(testDocument(reportOf(bad))));
  assert.equal([document.schema, document.isGood, document.badWords], ["p2pdma.cmb-test/1", false, "600"]);
  assert.is(document.bad.length, 25);
  assert.equal(
    [document.bad[0].address, document.bad[0].barOffsetBytes, document.bad[0].got],
    ["0xf4021000", "135168", "0x0000000000000003"],
  );
});

test("renderTest() does not call an interrupted test good", () => {
  assert.match(renderTest(reportOf({ ...good, isComplete: false })), /result {8}good so far, interrupted\n$/);
});

test.run();
