// SPDX-License-Identifier: MIT
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { seriesFolder } from "../../../kernel-series/folders.ts";
import { patchNames } from "../../../kernel-series/inputs.ts";

const folder = join(seriesFolder(), "patches");
const names = patchNames(seriesFolder());
const readPatch = (name: string): string => readFileSync(join(folder, name), "utf8");

/** The lines that a patch adds to a file it creates. */
function createdFile(patch: string, path: string): string {
  const [, diff = ""] = patch.split(`diff --git a/${path} `);
  const [, ...added] = (diff.split(/^diff --git /m)[0] ?? "").split(/^@@ .* @@\n/m);
  return added.join("").replace(/^\+/gm, "");
}

test("patches are numbered without a gap, and the series knows how many there are", () => {
  names.forEach((name, index) => {
    const number = String(index + 1);
    assert.match(name, new RegExp(`^${number.padStart(4, "0")}-`));
    assert.match(readPatch(name), new RegExp(`^Subject: \\[PATCH ${number}/${names.length}\\] `, "m"));
  });
});

for (const name of names) {
  test(`${name} has a body, a sign-off and a licence`, () => {
    const [mail = ""] = readPatch(name).split(/^diff --git /m);
    const [, message = ""] = mail.split(/\n\n(.*)\n---\n/s);
    assert.match(message, /\n\nSigned-off-by: The p2pdma authors <maintainers@p2pdma\.invalid>$/);
    assert.ok(message.length > 200);
    assert.match(mail, /SPDX-License-Identifier: GPL-2\.0-only/);
  });

  test(`${name}: every hunk is as long as it says`, () => {
    for (const [, before, after, body = ""] of readPatch(name).matchAll(
      /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@.*\n((?:[ +-].*\n|\n)*)/gm,
    )) {
      const count = (signs: RegExp): number => body.match(signs)?.length ?? 0;
      assert.is(count(/^[ -]/gm), Number(before ?? 1));
      assert.is(count(/^[ +]/gm), Number(after ?? 1));
    }
  });
}

test("the provider driver in p2pmem-bar/ is the one that the series adds", () => {
  const driver = "pci-p2pmem-bar.c";
  const adding = names.map(readPatch).filter((patch) => patch.includes(`+++ b/drivers/pci/${driver}`));
  assert.is(adding.length, 1);
  const source = readFileSync(join(seriesFolder(), "p2pmem-bar", driver), "utf8");
  assert.is(createdFile(adding[0] ?? "", `drivers/pci/${driver}`), source);
});

test.run();
