// SPDX-License-Identifier: MIT
// What is measured: sweeps, mixtures, and the limits of the way.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Mixture, mixtures, piecesOf, shareOf } from "../../../../core/bench/layout.ts";
import { linkBytesPerSecond, linkToPeer, linkToRam } from "../../../../core/bench/link.ts";
import { parseSweep } from "../../../../core/bench/sweep.ts";
import { P2pdmaError } from "../../../../core/errors.ts";
import type { Bdf } from "../../../../core/pci/bdf.ts";
import type { Verdict } from "../../../../core/pci/rules.ts";
import type { Machine } from "../../../../core/topo/index.ts";
import type { Mapping, MemoryRange } from "../../../../ffi/index.ts";

test("parseSweep(): ranges double, lists are what they are, each value once", () => {
  assert.equal(parseSweep("4k..32k", "--chunk"), [4096, 8192, 16384, 32768]);
  assert.equal(parseSweep("1..32", "--depth"), [1, 2, 4, 8, 16, 32]);
  assert.equal(parseSweep("1..20", "--depth"), [1, 2, 4, 8, 16]);
  assert.equal(parseSweep("8, 1,8,2..4", "--depth"), [1, 2, 4, 8]);
  assert.equal(parseSweep("0,50,100", "--share"), [0, 50, 100]);
});

const LONG = Array.from({ length: 65 }, (_, at) => at).join();

for (const wrong of ["", "4k..", "..4k", "8..4", "0..4", "1..2..4", "x", "4k,,8k", "1..1E", LONG]) {
  test(`parseSweep(): "${wrong.slice(0, 20)}" is refused`, () => {
    const isUsage = (error: unknown) => error instanceof P2pdmaError && error.code === "USAGE";
    assert.throws(() => parseSweep(wrong, "--chunk"), isUsage);
  });
}

const picture = ({ layout, pages }: Mixture) =>
  `${layout} ${pages.map((isP2pmem) => (isP2pmem ? "P" : ".")).join("")}`;

test("mixtures(): each share in each layout, and one page alone", () => {
  assert.equal(mixtures(8, [0, 25, 50, 100]).map(picture), [
    "plain ........",
    "alternating ...P...P",
    "halves PP......",
    "alternating .P.P.P.P",
    "halves PPPP....",
    "plain PPPPPPPP",
    "single ....P...",
  ]);
});

test("mixtures(): shares that come to the same pages are one, and one page can't be mixed", () => {
  assert.equal(mixtures(2, [10, 20, 50, 60]).map(picture), ["plain ..", "alternating .P", "halves P."]);
  assert.equal(mixtures(1, [0, 100]).map(picture), ["plain .", "plain P"]);
  assert.equal(mixtures(16, [0, 100]).map(picture).length, 2);
});

test("mixtures(): the pages of every mixture are as many as its share says", () => {
  const shares = [0, 1, 13, 33, 50, 66, 99, 100];
  for (const mixture of mixtures(64, shares).filter(({ layout }) => layout !== "single")) {
    const wanted = shares.map((share) => (Math.round(share * 0.64) / 64) * 100);
    assert.ok(wanted.includes(shareOf(mixture)), picture(mixture));
  }
});

test("piecesOf(): neighbours are one piece, and all together are the request", () => {
  const [p2pmem, ram] = [{} as Mapping, {} as Mapping];
  const range = (mapping: Mapping, offsetBytes: number): MemoryRange => ({
    mapping,
    offsetBytes,
    lengthBytes: 16384,
  });
  const pages = [true, true, false, true];
  assert.equal(piecesOf({ layout: "halves", pages }, range(p2pmem, 65536), range(ram, 0)), [
    { mapping: p2pmem, offsetBytes: 65536, lengthBytes: 8192 },
    { mapping: ram, offsetBytes: 8192, lengthBytes: 4096 },
    { mapping: p2pmem, offsetBytes: 65536 + 12288, lengthBytes: 4096 },
  ]);
});

for (const [speedGtps, width, bytes] of [
  [2.5, 1, 250e6],
  [5, 4, 2e9],
  [8, 4, 3.938e9],
  [16, 4, 7.877e9],
  [32, 16, 63.015e9],
  [64, 4, 29.5e9],
] as const) {
  test(`linkBytesPerSecond(): ${speedGtps} GT/s x${width}`, () => {
    const found = linkBytesPerSecond({ speedGtps, width });
    assert.ok(Math.abs(found / bytes - 1) < 0.001, `${found}`);
  });
}

const link = (speedGtps: number, width: number) => ({ speedGtps, width, maxSpeedGtps: 64, maxWidth: 16 });
const functions = [
  { bdf: "0000:00:01.0", link: link(16, 8) },
  { bdf: "0000:01:00.0", parent: "0000:00:01.0", link: link(16, 2) },
  { bdf: "0000:02:00.0", parent: "0000:01:00.0", link: link(8, 4) },
  { bdf: "0000:03:00.0", parent: "0000:02:00.0", link: link(8, 4) },
  { bdf: "0000:02:01.0", parent: "0000:01:00.0", link: link(5, 8) },
  { bdf: "0000:04:00.0", parent: "0000:02:01.0", link: link(5, 8) },
];
const machine = {
  tree: { functions: new Map(functions.map((one) => [one.bdf, one])) },
} as unknown as Machine;

test("linkToRam(): the narrowest link up to the root complex", () => {
  assert.is(linkToRam(machine, "0000:03:00.0" as Bdf)?.bdf, "0000:03:00.0");
  assert.is(linkToRam(machine, "0000:04:00.0" as Bdf)?.bdf, "0000:01:00.0");
});

test("linkToPeer(): the switch's own uplink is not crossed, and a drive's own memory is behind no link", () => {
  const hop = (bdf: string, role: string) => ({ bdf, role });
  const hops = [
    hop("0000:03:00.0", "provider"),
    hop("0000:02:00.0", "port"),
    hop("0000:01:00.0", "common-bridge"),
    hop("0000:02:01.0", "port"),
    hop("0000:04:00.0", "client"),
  ];
  const found = linkToPeer(machine, { hops } as unknown as Verdict);
  assert.is(found?.speedGtps, 8);
  assert.is(linkToPeer(machine, { hops: hops.slice(0, 1) } as unknown as Verdict), undefined);
});

test.run();
