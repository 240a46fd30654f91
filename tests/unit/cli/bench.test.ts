// SPDX-License-Identifier: MIT
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { renderBenchCsv } from "../../../cli/bench-csv.ts";
import { renderBenchHtml } from "../../../cli/bench-html.ts";
import { renderMixedCsv } from "../../../cli/bench-mixed-csv.ts";
import { renderMixedHtml } from "../../../cli/bench-mixed-html.ts";
import { renderMixed } from "../../../cli/bench-mixed-text.ts";
import { type BenchOptions, checkOutput, devicePath, parseBench } from "../../../cli/bench-options.ts";
import { doublingScale, linearScale, logScale, ninesScale } from "../../../cli/bench-scale.ts";
import { sparkline } from "../../../cli/bench-sparkline.ts";
import { renderBench } from "../../../cli/bench-text.ts";
import { digits, formatNs, formatShare } from "../../../cli/bench-words.ts";
import type { BenchDocument } from "../../../core/bench/document.ts";
import type { MixedDocument } from "../../../core/bench/mixed-document.ts";
import { P2pdmaError } from "../../../core/errors.ts";
import { validateAgainst } from "../../schema.ts";

const isUsage = (error: unknown) => error instanceof P2pdmaError && error.code === "USAGE";
const plain: BenchOptions = {
  ...{ chunk: "4k..16k", depth: "1,8", seed: "3", offset: "0", warmup: "250ms", repeat: "3" },
};

test("parseBench(): what was given, and defaults for the rest", () => {
  assert.equal(parseBench("read", "nvme0n1", undefined, plain), {
    ...{
      kind: "read",
      source: "/dev/nvme0n1",
      destination: undefined,
      chunks: [4096, 8192, 16384],
      depths: [1, 8],
    },
    ...{ isRandom: false, seed: 3n, vias: ["p2p", "ram"], providers: [], allocator: undefined, offset: 0n },
    ...{
      lengthBytes: undefined,
      overwrite: [],
      warmupMs: 250,
      timeMs: 1000,
      sizeBytes: undefined,
      repeats: 3,
    },
  });
  const by = (over: Partial<BenchOptions>) => parseBench("read", "x", undefined, { ...plain, ...over });
  assert.equal([by({ size: "1G" }).timeMs, by({ size: "1G" }).sizeBytes], [undefined, 1n << 30n]);
  assert.equal(
    [by({ time: "5s" }).timeMs, by({ warmup: "0" }).warmupMs, by({ warmup: "0s" }).warmupMs],
    [5000, 0, 0],
  );
  assert.equal(by({ via: "ram", provider: "nvme0,nvme1" }).providers, ["nvme0", "nvme1"]);
});

for (const over of [
  { via: "tape" },
  { via: "" },
  { seed: "x" },
  { repeat: "-1" },
  { chunk: "x" },
  { time: "soon" },
]) {
  test(`parseBench(): ${JSON.stringify(over)} is refused`, () =>
    assert.throws(() => parseBench("read", "x", undefined, { ...plain, ...over }), isUsage));
}

test("checkOutput(): one form on stdout, and some form at all", () => {
  assert.throws(() => checkOutput({ json: true, csv: true }), isUsage);
  assert.throws(() => checkOutput({ quiet: true }), isUsage);
  checkOutput({ quiet: true, html: "x" });
});

test("devicePath(): a bare namespace is a device, all else is what it says", () => {
  const names = ["nvme0n1", "nvme0n1p2", "./nvme0n1", "file", "serial:x"];
  assert.equal(
    names.map((name) => devicePath(name)),
    ["/dev/nvme0n1", "/dev/nvme0n1p2", ...names.slice(2)],
  );
});

test("numbers in words: three digits, whatever their size", () => {
  assert.equal([0, 999, 1500, 12_340_000, 999_000_000, 61e9].map(formatNs), [
    "0 ns",
    "999 ns",
    "1.5 µs",
    "12.3 ms",
    "999 ms",
    "61 s",
  ]);
  assert.equal([null, undefined].map(formatNs), ["-", "-"]);
  assert.equal([0.00123, 0.5, 1234.5].map(digits), ["0.00123", "0.5", "1235"]);
  assert.equal([null, 0.0421, 1.5].map(formatShare), ["-", "4.21 %", "150 %"]);
});

test("sparkline(): from nothing to the most, in blocks or letters", () => {
  assert.is(sparkline([0, 50, 100, 200], 100, true), "▁▅██");
  assert.is(sparkline([0, 100], 100, false), "_@");
  assert.is(sparkline([0, 0], 0, true), "▁▁");
});

const labels = (ticks: readonly { label: string }[]) => ticks.map(({ label }) => label);

test("doublingScale(): each doubling takes the same room", () => {
  const scale = doublingScale([8, 1, 2, 4], String);
  assert.equal(
    [1, 2, 4, 8].map((value) => Math.round(scale.at(value) * 3)),
    [0, 1, 2, 3],
  );
  assert.equal(labels(scale.ticks), ["1", "2", "4", "8"]);
  assert.is(doublingScale([7], String).at(7), 0.5);
});

test("linearScale(): round steps in binary units", () => {
  const mib = (value: number) => `${value / 2 ** 20}`;
  const scale = linearScale(130 * 2 ** 20, [1, 1024, 2 ** 20], mib);
  assert.equal(labels(scale.ticks), ["0", "50", "100", "150"]);
  assert.is(scale.at(75 * 2 ** 20), 0.5);
  assert.ok(linearScale(0.001, [1], String).ticks.length >= 2);
});

test("logScale(): ticks within the axis, however wide it is", () => {
  for (const [least, most] of [
    [100, 120],
    [95_000, 120_000_000],
    [1, 4e12],
    [5, 5],
  ] as const) {
    const scale = logScale(least, most, String);
    assert.ok(scale.ticks.length >= 2 && scale.ticks.length <= 14, `${scale.ticks.length}`);
    for (const value of [least, most, ...scale.ticks.map((tick) => tick.value)]) {
      assert.ok(scale.at(value) >= -1e-9 && scale.at(value) <= 1 + 1e-9, `${value} of ${least} to ${most}`);
    }
  }
});

test("ninesScale(): each nine takes the same room", () => {
  const scale = ninesScale(99.9);
  assert.equal(labels(scale.ticks), ["0 %", "50 %", "90 %", "99 %", "99.9 %"]);
  assert.equal(
    [0, 90, 99, 99.9].map((value) => Math.round(scale.at(value) * 3000)),
    [0, 1000, 2000, 3000],
  );
});

const fixture = (name: string) =>
  JSON.parse(readFileSync(join(import.meta.dirname, "fixtures", name), "utf8"));
const copied = fixture("bench-copy.json") as BenchDocument;
const mixed = fixture("bench-mixed.json") as MixedDocument;

test("the documents that these forms are made from are as the schema says", () => {
  validateAgainst("bench", copied);
  validateAgainst("bench", mixed);
});

/** Well-formed enough to be read: every element that opens also closes. */
function isBalanced(html: string): boolean {
  const open: string[] = [];
  for (const [, end, name = "", rest = ""] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)((?:[^>"]|"[^"]*")*)>/g)) {
    if (end && open.pop() !== name) return false;
    if (!end && !rest.endsWith("/") && !["meta", "br"].includes(name)) open.push(name);
  }
  return open.length === 0;
}

test("pages stand alone, run nothing, and close what they open", () => {
  for (const html of [renderBenchHtml(copied), renderMixedHtml(mixed)]) {
    assert.ok(isBalanced(html.replace(/<style>[\s\S]*<\/style>/, "")));
    assert.not.match(html, /<script|<link|<img|@import|url\(|NaN|undefined|Infinity/);
    assert.match(html, /<svg viewBox[^>]*role="img" aria-label="[^"]+"/);
  }
});

test("names of devices can't break out of a page", () => {
  const evil = { ...copied, source: '<script>"&' };
  const html = renderBenchHtml({ ...evil, machine: { ...copied.machine, host: "</style><b>" } });
  assert.not.match(html, /<script|<\/style><b>/);
});

test("tables have a row for each point, CSV the same number of cells in each line", () => {
  const lines = renderBench(copied, true).split("\n");
  assert.is(lines.filter((line) => /^(pci-p2pmem-bar|ram) +128 KiB/.test(line)).length, copied.points.length);
  for (const csv of [renderBenchCsv(copied), renderMixedCsv(mixed)]) {
    const cells = csv
      .trimEnd()
      .split("\n")
      .map((line) => line.split(",").length);
    assert.is(new Set(cells).size, 1, cells.join());
  }
  assert.is(renderBenchCsv(copied).trimEnd().split("\n").length, 1 + 2 * copied.points.length);
});

test("a refusal is told with its error and the drive's own word on mixing", () => {
  const text = renderMixed(mixed, false);
  assert.match(text, /nvme0 \(itself\) +50 % +halves .*refused: EIO x27/);
  assert.match(text, /nvme0: CMBLOC\.CDMMMS = 0: data and metadata of a command lie in the CMB as a whole/);
});

test.run();
