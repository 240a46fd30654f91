// SPDX-License-Identifier: MIT
// Debian's Linux 6.1 by its code: half of the series, and a tree with later patches brought back by hand.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { examineSource, judgeUses, openSourceTree } from "../../../../core/kernel/index.ts";
import { seriesPatches } from "../../../../kernel-series/series/index.ts";
import { kernelTree, skipWithout } from "../../kernel-trees.ts";
import { tempFolder } from "../../temp.ts";

const tree = await kernelTree("6.1");
if (tree === undefined) {
  skipWithout("6.1", "Linux 6.1 by its code");
} else {
  const plain = states(tree);

  for (const { number, feature, mainline } of seriesPatches.filter(({ mainline }) => mainline)) {
    const expected = mainline === "6.0" ? "present" : "absent";
    test(`6.1: patch ${number} of the series, ${feature}, is ${expected}`, () =>
      assert.is(plain.get(feature ?? ""), expected));
  }

  test("6.1 cannot copy from user space, but has what an NVMe target needs", () => {
    const verdicts = judgeUses(examineSource(openSourceTree(tree)));
    const uses = Object.fromEntries(verdicts.map(({ use, state }) => [use, state]));
    assert.equal(uses, {
      copy: "absent",
      files: "absent",
      passthrough: "absent",
      rdma: "absent",
      nvmet: "present",
    });
  });

  test("6.1: nothing is left that can't be told", () =>
    assert.equal(
      [...plain].filter(([, state]) => state === "unknown"),
      [],
    ));

  const backports: [string, string, (text: string) => string, string[]][] = [
    [
      "direct I/O that asks for p2pmem",
      "block/bio.c",
      (text) => `${text}\nstatic unsigned int own_flags(void)\n{\n\treturn FOLL_PCI_P2PDMA;\n}\n`,
      ["bio-direct"],
    ],
    [
      "a mapping handler of the NVMe character device",
      "drivers/nvme/host/core.c",
      (text) => text.replace(/(nvme_dev_fops = \{\n)/, "$1\t.mmap\t\t= own_mmap,\n"),
      ["nvme-mmap"],
    ],
    [
      "a check before pages are merged",
      "lib/scatterlist.c",
      (text) =>
        `${text}\nbool own_check(struct page *a, struct page *b)\n{\n\treturn zone_device_pages_have_same_pgmap(a, b);\n}\n`,
      ["sg-merge"],
    ],
    [
      "a flag of iov_iter_get_pages()",
      "lib/iov_iter.c",
      (text) =>
        `${text}\nssize_t iov_iter_get_pages(struct iov_iter *i, unsigned int gup_flags)\n{\n\treturn 0;\n}\n`,
      ["iov-iter"],
    ],
    [
      "memory that is allocated at the first touch, as in version 5",
      "drivers/pci/p2pdma.c",
      (text) =>
        `${text}\nstatic vm_fault_t pci_p2pdma_vma_fault(struct vm_fault *vmf)\n{\n\treturn 0;\n}\n\nint pci_mmap_p2pmem(struct pci_dev *pdev)\n{\n\treturn 0;\n}\n`,
      ["driver-mmap"],
    ],
    ["a comment", "block/bio.c", (text) => `${text}\n/* FOLL_PCI_P2PDMA */\n`, []],
    ["disabled code", "block/bio.c", (text) => `${text}\n#if 0\nint x = FOLL_PCI_P2PDMA;\n#endif\n`, []],
  ];
  for (const [what, path, change, expected] of backports) {
    test(`6.1 with ${what} brought back: ${expected.join(", ") || "nothing"} changes`, () => {
      const copy = tempFolder("backport");
      cpSync(tree, copy, { recursive: true });
      const text = readFileSync(join(copy, path), "utf8");
      assert.is.not(change(text), text);
      writeFileSync(join(copy, path), change(text));
      const changed = [...states(copy)].filter(([id, state]) => state !== plain.get(id));
      assert.equal(
        changed,
        expected.map((id) => [id, "present"]),
      );
    });
  }
}

function states(root: string): Map<string, string> {
  return new Map(examineSource(openSourceTree(root)).map(({ feature, state }) => [feature.id, state]));
}

test.run();
