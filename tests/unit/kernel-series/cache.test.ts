// SPDX-License-Identifier: MIT
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findKernel } from "../../../kernel-series/build.ts";
import { publish } from "../../../kernel-series/cache.ts";
import { buildFolder, cacheRoot } from "../../../kernel-series/folders.ts";
import { kernelInputs, kernelKey } from "../../../kernel-series/inputs.ts";
import { type Scratch, withScratch } from "./series.ts";

/** What make leaves behind, as far as the cache is concerned. */
function pretendToBuild({ series, cache }: Scratch): ReturnType<typeof publish> {
  const inputs = kernelInputs({ series, cache });
  const { tree, log } = buildFolder(cache, kernelKey(inputs));
  for (const folder of ["include/config", "arch/x86/boot"])
    mkdirSync(join(tree, folder), { recursive: true });
  writeFileSync(join(tree, "include/config/kernel.release"), "6.12.0-lab\n");
  writeFileSync(join(tree, "arch/x86/boot/bzImage"), "image");
  writeFileSync(join(tree, ".config"), "");
  writeFileSync(log, "");
  return publish(cache, inputs, Date.now());
}

test("cacheRoot() follows XDG_CACHE_HOME", () => {
  assert.is(cacheRoot({ XDG_CACHE_HOME: "/x" }), "/x/p2pdma");
  assert.match(cacheRoot({}), /\/\.cache\/p2pdma$/);
});

test("findKernel() finds what was published, and what it was built in is gone", () =>
  withScratch((scratch) => {
    assert.is(findKernel("lab", scratch), undefined);
    const built = pretendToBuild(scratch);
    assert.equal(findKernel("lab", scratch), { ...built, cached: true });
    assert.is(built.release, "6.12.0-lab");
    assert.is(built.cached, false);
    assert.equal(readdirSync(join(scratch.cache, "kernels", built.key)).sort(), [
      "build.log",
      "bzImage",
      "config",
      "meta.json",
    ]);
    assert.not.ok(existsSync(buildFolder(scratch.cache, built.key).path));
    assert.is(findKernel("debug", scratch), undefined);
  }));

test("findKernel() passes over a kernel that lost its image or its description", () =>
  withScratch((scratch) => {
    const { bzImage } = pretendToBuild(scratch);
    rmSync(bzImage);
    assert.is(findKernel("lab", scratch), undefined);
    const { key } = pretendToBuild(scratch);
    writeFileSync(join(scratch.cache, "kernels", key, "meta.json"), "{");
    assert.is(findKernel("lab", scratch), undefined);
  }));

test.run();
