// SPDX-License-Identifier: MIT
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CliContext } from "../../../cli/context.ts";
import { showConfig } from "../../../cli/kernel-config.ts";
import { features } from "../../../core/kernel/index.ts";
import {
  fragmentText,
  missingGroups,
  parseFragment,
  renderFragment,
} from "../../../kernel-series/fragment.ts";
import { packageRoot } from "../../../lab/package-root.ts";

const debian = (series: string) =>
  join(packageRoot(), `tests/fixtures/kernel-config/debian-${series}.config`);
const text =
  "# SPDX-License-Identifier: X\n#\n# Head.\n\n# Why\n# so.\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_N=64\n";
const groups = parseFragment(text);
const options = [
  { name: "CONFIG_A", value: "y" },
  { name: "CONFIG_B", value: "n" },
  { name: "CONFIG_N", value: "64" },
];

test("parseFragment() finds the options and their reason", () =>
  assert.equal(groups, [{ reason: "Why so.", options }]));

test("renderFragment() writes what parseFragment() reads, in short lines", () => {
  assert.equal(parseFragment(renderFragment(groups)), groups);
  const long = [{ reason: "word ".repeat(60).trim(), options }];
  assert.ok(
    renderFragment(long)
      .split("\n")
      .every((line) => line.length <= 80),
  );
  assert.equal(parseFragment(renderFragment(long)), long);
});

const missing = (name: "minimal" | "lab", config: Record<string, string>) =>
  missingGroups(name, groups, new Map(Object.entries(config))).flatMap((group) =>
    group.options.map((option) => option.name),
  );

test("missingGroups() of a configuration that has all", () =>
  assert.equal(missing("minimal", { CONFIG_A: "y", CONFIG_N: "64" }), []));

test("missingGroups() names what is off, on, or another number", () =>
  assert.equal(missing("minimal", { CONFIG_B: "y", CONFIG_N: "8" }), ["CONFIG_A", "CONFIG_B", "CONFIG_N"]));

test("a module will do, but not in the lab", () => {
  assert.equal(missing("minimal", { CONFIG_A: "m", CONFIG_N: "64" }), []);
  assert.equal(missing("lab", { CONFIG_A: "m", CONFIG_N: "64" }), ["CONFIG_A"]);
});

test("the lab's kernel has all that is minimal", () => {
  const lab = new Map(parseFragment(fragmentText("lab")).flatMap((group) => group.options.map(pair)));
  assert.equal(missingGroups("minimal", parseFragment(fragmentText("minimal")), lab), []);
});

test("minimal has all that a copy needs by kernel status, but for the file system", () => {
  const names = new Set(
    parseFragment(fragmentText("minimal")).flatMap((group) => group.options.map(({ name }) => name)),
  );
  const needed = features.filter(
    ({ matters, id }) => matters.includes("copy") && !["dma-iommu", "multipath", "md-raid"].includes(id),
  );
  for (const option of needed.flatMap((feature) => feature.options.flat()))
    assert.ok(names.has(`CONFIG_${option}`), option);
});

function run(name: string, merge?: string) {
  const said = { out: "", err: "" };
  const context = {
    out: (text: string) => {
      said.out += text;
    },
    err: (text: string) => {
      said.err += text;
    },
  } as CliContext;
  return { code: showConfig(context, name, merge === undefined ? {} : { merge }), ...said };
}

test("kernel config prints the fragment as it is", () =>
  assert.is(
    run("minimal").out,
    readFileSync(join(packageRoot(), "kernel-series/config/minimal.config"), "utf8"),
  ));

for (const series of ["6.1", "6.12"]) {
  test(`kernel config --merge: Debian's ${series} lacks one option, and says which`, () => {
    const { code, out, err } = run("minimal", debian(series));
    assert.is(code, 1);
    assert.match(out, /^# The feature itself(?:.*\n)+CONFIG_PCI_P2PDMA=y\n$/);
    assert.match(err, /lacks 1 option of the fragment minimal/);
  });
}

test("kernel config --merge refuses what is no configuration", () => {
  assert.throws(() => run("minimal", join(packageRoot(), "README.md")), /no kernel configuration/);
  assert.throws(() => run("minimal", "/nowhere"), /Cannot read "\/nowhere": ENOENT/);
});

function pair({ name, value }: { name: string; value: string }): [string, string] {
  return [name, value];
}

test.run();
