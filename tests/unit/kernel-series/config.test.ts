// SPDX-License-Identifier: MIT
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { seriesFolder } from "../../../kernel-series/folders.ts";
import { missingOptions } from "../../../kernel-series/steps.ts";

const folder = join(seriesFolder(), "config");
const option = /^(?:(CONFIG_\w+)=(?:y|\d+|".*")|# (CONFIG_\w+) is not set)$/;

for (const name of readdirSync(folder)) {
  const groups = readFileSync(join(folder, name), "utf8")
    .trimEnd()
    .split(/\n{2,}/);

  test(`${name}: every group of options says why it is there`, () => {
    const [head, ...rest] = groups;
    assert.match(head ?? "", /^# SPDX-License-Identifier: GPL-2\.0-only\n/);
    for (const group of rest) {
      const lines = group.split("\n");
      const firstOption = lines.findIndex((line) => option.test(line));
      assert.ok(firstOption > 0, `no comment above: ${group}`);
      for (const line of lines.slice(0, firstOption)) assert.match(line, /^#/);
      for (const line of lines.slice(firstOption)) assert.match(line, option);
    }
  });

  test(`${name}: no option appears twice`, () => {
    const names = groups.flatMap((group) =>
      group.split("\n").flatMap((line) => option.exec(line)?.slice(1) ?? []),
    );
    const given = names.filter((entry) => entry !== undefined);
    assert.is(new Set(given).size, given.length);
  });
}

const rows: [string, string[], string, string[]][] = [
  ["has what was asked for", ["CONFIG_A=y\n# CONFIG_B is not set"], "CONFIG_A=y\n# CONFIG_B is not set", []],
  ["lacks an option", ["CONFIG_A=y"], "CONFIG_C=y", ["CONFIG_A=y"]],
  ["has another value", ["CONFIG_N=64"], "CONFIG_N=8", ["CONFIG_N=64"]],
  ["has what was to be off", ["# CONFIG_B is not set"], "CONFIG_B=y", ["CONFIG_B=n"]],
  ["does not know what was to be off", ["# CONFIG_B is not set"], "", []],
  ["follows the last fragment", ["CONFIG_A=y", "# CONFIG_A is not set"], "# CONFIG_A is not set", []],
];
for (const [what, fragments, config, missing] of rows) {
  test(`missingOptions() of a configuration that ${what}`, () =>
    assert.equal(missingOptions(fragments, config), missing));
}

test.run();
