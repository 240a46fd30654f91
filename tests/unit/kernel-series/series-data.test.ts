// SPDX-License-Identifier: MIT
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { renderHistory, renderPatch, renderSeries } from "../../../cli/kernel-series.ts";
import { features } from "../../../core/kernel/index.ts";
import {
  ancestors,
  dependants,
  revisions,
  seriesPatches,
  successors,
} from "../../../kernel-series/series/index.ts";
import { codeSources, filesIn, kernelTree, skipWithout } from "../kernel-trees.ts";

const ids = new Set(features.map(({ id }) => id));

test("there are 24 patches, numbered in order, 22 by one author and 2 by another", () => {
  assert.equal(
    seriesPatches.map(({ number }) => number),
    Array.from({ length: 24 }, (_, index) => index + 1),
  );
  const count = (author: string) => seriesPatches.filter((patch) => patch.author === author).length;
  assert.equal([count("Logan Gunthorpe"), count("Ralph Campbell")], [22, 2]);
});

test("patches build on earlier ones only, and dependants() is the way back", () => {
  for (const { number, needs } of seriesPatches) {
    for (const needed of needs) {
      assert.ok(needed < number, `${number} needs ${needed}`);
      assert.ok(dependants(needed).includes(number));
    }
  }
  assert.equal(dependants(23), [24]);
});

test("what reached mainline names its release and what kernel status calls it", () => {
  for (const { number, fate, mainline, feature } of seriesPatches) {
    assert.is(mainline === undefined, fate === "dropped", `patch ${number}`);
    assert.is(feature === undefined, fate === "dropped", `patch ${number}`);
    if (feature !== undefined) assert.ok(ids.has(feature), feature);
  }
});

test("every fact has a source", () => {
  for (const { sources } of [...seriesPatches, ...revisions, ...ancestors, ...successors]) {
    assert.ok(sources.length > 0);
    for (const { text } of sources) assert.ok(text.length > 0);
  }
});

/** `6.1 and 6.12: nvme_map_data() in FILE calls dma_map_sgtable()`, one clause for each set of versions. */
const CLAUSE = /(6\.1|6\.12|6\.1 and 6\.12): ([^;]*)/g;
const NAME = /(\bno )?(\b\w+(?=\(\))|\b[A-Z]+(?:_[A-Z0-9]+)+\b|\bpci_p2pdma_whitelist\b|\bnvme_dev_fops\b)/g;

for (const series of ["6.1", "6.12"] as const) {
  const tree = await kernelTree(series);
  if (tree === undefined) {
    skipWithout(series, `what the series' data says of Linux ${series}`);
    continue;
  }
  const clauses = codeSources().flatMap((text) =>
    [...text.matchAll(CLAUSE)].flatMap(([, versions = "", clause = ""]) =>
      versions.split(" and ").includes(series) && filesIn(clause).length > 0 ? clause : [],
    ),
  );
  test(`there is enough that was read in Linux ${series}`, () => assert.ok(clauses.length >= 15));
  for (const clause of new Set(clauses)) {
    test(`Linux ${series} has it as said: ${clause}`, () => {
      const texts = filesIn(clause).map((path) => readFileSync(join(tree, path), "utf8"));
      for (const [, no, name = ""] of clause.matchAll(NAME))
        assert.is(
          texts.some((text) => new RegExp(`\\b${name}\\b`).test(text)),
          no === undefined,
          name,
        );
    });
  }
}

test("episodes name features that there are", () => {
  for (const { feature } of [...ancestors, ...successors]) if (feature) assert.ok(ids.has(feature), feature);
});

test("every version from the first to the eleventh is there, once", () =>
  assert.equal(
    revisions.map(({ name }) => name),
    ["RFC", ...Array.from({ length: 11 }, (_, index) => `v${index + 1}`)],
  ));

test("renderSeries() has a line for each patch", () => {
  const lines = renderSeries().split("\n");
  assert.match(lines[0] ?? "", /^NR +SUBSYSTEM +PATCH +FATE +MAINLINE +NEEDS$/);
  assert.match(lines[16] ?? "", /^16 +mm +mm: introduce FOLL_PCI_P2PDMA .* merged +6\.2 +-$/);
  assert.is(lines.filter((line) => /^\d+ /.test(line)).length, 24);
});

test("renderPatch() says what is not sure", () => {
  const patch = seriesPatches.find(({ number }) => number === 5);
  assert.match(patch ? renderPatch(patch) : "", /fate +reworked: .*\n(?:.*\n)*.*inferred: folded/);
  assert.match(renderHistory(), /NOT VERIFIED: whether it was merged since/);
});

test("no line is longer than a terminal of 100 columns and some", () => {
  for (const line of `${seriesPatches.map(renderPatch).join("")}${renderHistory()}`.split("\n"))
    assert.ok(line.length <= 110, line);
});

test.run();
