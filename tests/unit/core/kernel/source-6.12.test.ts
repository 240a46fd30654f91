// SPDX-License-Identifier: MIT
// Debian's Linux 6.12 by its code, and the same with our patches.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { examineSource, judgeUses, openSourceTree } from "../../../../core/kernel/index.ts";
import { exportMailbox } from "../../../../kernel-series/mailbox.ts";
import { seriesPatches } from "../../../../kernel-series/series/index.ts";
import { kernelTree, skipWithout } from "../../kernel-trees.ts";
import { tempFolder } from "../../temp.ts";

const tree = await kernelTree("6.12");
if (tree === undefined) {
  skipWithout("6.12", "Linux 6.12 by its code");
} else {
  const plain = states(tree);

  for (const { number, feature, mainline } of seriesPatches.filter(({ mainline }) => mainline)) {
    const expected = feature === "driver-mmap" || feature === "nvme-mmap" ? "absent" : "present";
    test(`6.12: patch ${number} of the series, ${feature}, is ${expected}`, () => {
      assert.ok(mainline);
      assert.is(plain.get(feature ?? ""), expected);
    });
  }

  test("6.12 copies, and hands memory out through sysfs alone", () => {
    const verdicts = judgeUses(examineSource(openSourceTree(tree)));
    const uses = Object.fromEntries(verdicts.map(({ use, state }) => [use, state]));
    assert.equal(uses, {
      ...{ copy: "present", files: "present", passthrough: "present" },
      ...{ rdma: "absent", nvmet: "present" },
    });
    assert.equal([plain.get("sysfs-allocate"), plain.get("map-at-once")], ["present", "present"]);
  });

  test("6.12 has a fix of 7.0, by a stable release, and nothing else of later versions", () => {
    assert.is(plain.get("failed-map-released"), "present");
    for (const id of ["refusal-einval", "multipath", "md-raid", "long-term-pins", "providers", "vfio-dmabuf"])
      assert.is(plain.get(id), "absent", id);
  });

  test("6.12: nothing is left that can't be told", () =>
    assert.equal(
      [...plain].filter(([, state]) => state === "unknown"),
      [],
    ));

  test("6.12 with our patches: drivers map p2pmem, by the rules of sysfs", () => {
    const copy = tempFolder("patched");
    cpSync(tree, copy, { recursive: true });
    const { status, stdout } = spawnSync("patch", ["-p1", "--batch", "--fuzz=0"], {
      ...{ cwd: copy, input: exportMailbox(), encoding: "utf8" },
    });
    assert.is(status, 0, stdout);
    const changed = [...states(copy)].filter(([id, state]) => state !== plain.get(id));
    assert.equal(changed, [
      ["driver-mmap", "present"],
      ["nvme-mmap", "present"],
    ]);
  });

  test("6.12 with its files moved around is judged the same", () => {
    const copy = tempFolder("moved");
    cpSync(tree, copy, { recursive: true });
    mkdirSync(join(copy, "drivers/pci/p2pdma"));
    for (const [from, to] of [
      ["drivers/pci/p2pdma.c", "drivers/pci/p2pdma/core.c"],
      ["kernel/dma/direct.c", "kernel/dma/direct-map.c"],
      ["drivers/nvme/target/core.c", "drivers/nvme/target/requests.c"],
    ])
      renameSync(join(copy, from ?? ""), join(copy, to ?? ""));
    const differing = [...states(copy)].filter(([id, state]) => state !== plain.get(id));
    // What was absent from a file that is gone can't be told any more; all else is found where it went.
    assert.equal(differing, [
      ["one-way-to-map", "unknown"],
      ["driver-mmap", "unknown"],
      ["providers", "unknown"],
    ]);
  });
}

function states(root: string): Map<string, string> {
  return new Map(examineSource(openSourceTree(root)).map(({ feature, state }) => [feature.id, state]));
}

test.run();
