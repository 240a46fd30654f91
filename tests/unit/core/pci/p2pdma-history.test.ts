// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  compareKernels,
  findWhitelisted,
  hostBridgeWhitelist,
  isAtLeast,
  isSince,
  type KernelVersion,
  milestones,
  parseKernelVersion,
} from "../../../../core/pci/p2pdma-history.ts";

const at = (text: string) => parseKernelVersion(text) as KernelVersion;

const releases: [string, string | undefined][] = [
  ["6.12.117-p2pdma", "6.12"],
  ["5.10.0-28-amd64", "5.10"],
  ["4.18.0-553.el8_10.x86_64", "4.18"],
  ["6.12-rc1", "6.12"],
  ["7.1", "7.1"],
  ["6.12\n", "6.12"],
  ["6.12+", "6.12"],
  ["", undefined],
  ["6", undefined],
  ["6.", undefined],
  ["v6.12", undefined],
  ["1000.1", undefined],
  ["6.12345", undefined],
  ["-6.12", undefined],
  ["kernel 6.12", undefined],
];
for (const [text, expected] of releases) {
  test(`parseKernelVersion() reads "${text.trim()}" as ${expected}`, () => {
    const found = parseKernelVersion(text);
    assert.is(found && `${found.major}.${found.minor}`, expected);
  });
}

test("compareKernels() sorts by number, not by text", () => {
  const sorted = ["7.1", "5.9", "5.18", "4.20", "6.2", "6.12"].map(at).sort(compareKernels);
  assert.equal(
    sorted.map(({ major, minor }) => `${major}.${minor}`),
    ["4.20", "5.9", "5.18", "6.2", "6.12", "7.1"],
  );
  assert.is(compareKernels(at("6.12"), at("6.12")), 0);
  assert.ok(isAtLeast(at("6.12"), 6, 2));
  assert.not.ok(isAtLeast(at("5.19"), 6, 0));
  assert.ok(isSince(at("5.9"), milestones.amdZen));
  assert.not.ok(isSince(at("5.8"), milestones.amdZen));
});

/** First release with an entry, and first without it. */
const entries: [string, string, string?][] = [
  ["1022:1450", "5.2", "5.9"],
  ["1022:15d0", "5.8", "5.9"],
  ["1022:1630", "5.8", "5.9"],
  ["8086:3c00", "5.4"],
  ["8086:3c01", "5.4"],
  ["8086:2f00", "5.4"],
  ["8086:2f01", "5.4"],
  ["8086:2020", "5.6"],
  ["8086:2030", "5.6"],
  ["8086:2031", "5.8"],
  ["8086:2032", "5.8"],
  ["8086:2033", "5.8"],
  ["8086:09a2", "5.18"],
  ["1ae0:001f", "7.1"],
  ["1ae0:abcd", "7.1"],
];
const known = ["4.20", "5.1", "5.2", "5.4", "5.6", "5.8", "5.9", "5.17", "5.18", "6.12", "7.0", "7.1"];
for (const [ids, since, until] of entries) {
  const range = `from ${since}${until ? ` to before ${until}` : ""}`;
  test(`findWhitelisted() has ${ids} ${range}`, () => {
    const [vendor = 0, device = 0] = ids.split(":").map((id) => Number.parseInt(id, 16));
    for (const kernel of known) {
      const isThere =
        compareKernels(at(kernel), at(since)) >= 0 && (!until || compareKernels(at(kernel), at(until)) < 0);
      assert.is(findWhitelisted(at(kernel), vendor, device) !== undefined, isThere, kernel);
    }
  });
}

test("findWhitelisted() never has an Intel client, an emulator or an unlisted AMD", () => {
  for (const [vendor, device] of [
    [0x8086, 0x4c43],
    [0x8086, 0x29c0],
    [0x8086, 0x1237],
    [0x1022, 0x1480],
    [0x1def, 0xe110],
    [0, 0],
  ] as const) {
    for (const kernel of known) assert.is(findWhitelisted(at(kernel), vendor, device), undefined);
  }
});

test("the list asks for one host bridge of exactly the four Xeon E5 entries", () => {
  const sharing = hostBridgeWhitelist.filter(({ sameHostBridgeOnly }) => sameHostBridgeOnly);
  assert.equal(
    sharing.map(({ deviceId }) => deviceId),
    [0x3c00, 0x3c01, 0x2f00, 0x2f01],
  );
});

test.run();
