// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { LabError } from "../../../lab/errors.ts";
import { pciArguments } from "../../../lab/pci-args.ts";
import { findTopology, topologies } from "../../../lab/topologies/index.ts";

test("topologies have names of their own and one-line summaries", () => {
  const names = topologies.map(({ name }) => name);
  assert.is(new Set(names).size, names.length);
  for (const { summary } of topologies) assert.match(summary, /^\S[^\n]{20,110}$/);
});

test("topologies have at least two drives, lettered from A", () => {
  for (const { pci } of topologies) {
    const letters = pciArguments(pci).drives.map(({ letter }) => letter);
    assert.ok(letters.length >= 2);
    assert.equal(letters, [..."ABCDEFGHIJKLMNOP"].slice(0, letters.length));
  }
});

test("topologies have drives past 4 GiB, where 32 bits end", () => {
  for (const { pci } of topologies) {
    for (const { sizeMiB } of pciArguments(pci).drives) assert.ok(sizeMiB > 4096);
  }
});

test("findTopology() takes the switch unless told otherwise", () => {
  assert.is(findTopology().name, "switch");
  assert.is(findTopology("fast").name, "fast");
});

test("findTopology() names the known ones when asked for another", () => {
  try {
    findTopology("nope");
    assert.unreachable();
  } catch (error) {
    const { message, hint, exitCode } = error as LabError;
    assert.is(message, 'No lab topology is called "nope"');
    assert.match(hint ?? "", /switch, switch-acs, root-ports/);
    assert.is(exitCode, 2);
  }
});

test.run();
