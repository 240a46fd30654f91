// SPDX-License-Identifier: MIT
import { appendFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { kernelInputs, kernelKey, patchNames, sameKernel } from "../../../kernel-series/inputs.ts";
import { sourceDigest } from "../../../kernel-series/tarball.ts";
import { type Scratch, withScratch } from "./series.ts";

const keyOf = ({ series, cache }: Scratch, flavour: "lab" | "debug" = "lab"): string =>
  kernelKey({ ...kernelInputs({ series, cache, flavour }), source: "s", compiler: "c" });

const firstPatch = (series: string): string => join(series, "patches", patchNames(series)[0] ?? "");

const changes: [string, (series: string) => void][] = [
  ["a patch changes", (series) => appendFileSync(firstPatch(series), "\n")],
  ["a patch is added", (series) => writeFileSync(join(series, "patches/9999-new.patch"), "")],
  ["a patch is renamed", (series) => renameSync(firstPatch(series), join(series, "patches/0009-x.patch"))],
  ["the fragment changes", (series) => appendFileSync(join(series, "config/lab.config"), "CONFIG_X=y\n")],
];
for (const [change, apply] of changes) {
  test(`kernelKey() is another when ${change}`, () =>
    withScratch((scratch) => {
      const before = keyOf(scratch);
      assert.match(before, /^[0-9a-f]{16}$/);
      assert.is(keyOf(scratch), before);
      apply(scratch.series);
      assert.is.not(keyOf(scratch), before);
    }));
}

test("kernelKey() differs between flavours, sources and compilers", () =>
  withScratch((scratch) => {
    const inputs = kernelInputs(scratch);
    const others = [
      keyOf(scratch, "debug"),
      kernelKey({ ...inputs, source: "t" }),
      kernelKey({ ...inputs, compiler: "d" }),
    ];
    assert.is(new Set([keyOf(scratch), ...others]).size, 4);
  }));

test("kernelKey() does not depend on the cover letter", () =>
  withScratch((scratch) => {
    const before = keyOf(scratch);
    writeFileSync(join(scratch.series, "patches/0000-cover-letter.patch"), "another");
    assert.is(keyOf(scratch), before);
  }));

test("sameKernel() does not hold a source or a compiler that is not here against a kernel", () =>
  withScratch((scratch) => {
    const built = { ...kernelInputs(scratch), source: "s", compiler: "c" };
    assert.ok(sameKernel(built, { ...built, source: null, compiler: null }));
    assert.not.ok(sameKernel(built, { ...built, source: "t" }));
    assert.not.ok(sameKernel(built, { ...built, source: null, patches: [] }));
  }));

test("sourceDigest() follows the archive, and is null without one", () =>
  withScratch(({ cache }) => {
    const archive = join(cache, "linux.tar.xz");
    assert.is(sourceDigest(cache, archive), null);
    writeFileSync(archive, "abc");
    const digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert.is(sourceDigest(cache, archive), digest);
    assert.is(sourceDigest(cache, archive), digest);
    writeFileSync(archive, "abcd");
    assert.is.not(sourceDigest(cache, archive), digest);
  }));

test.run();
