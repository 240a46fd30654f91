// SPDX-License-Identifier: MIT
// Our patches against Debian's Linux 6.12: as it is, changed, and patched already.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { seriesFolder } from "../../../kernel-series/folders.ts";
import { patchNames } from "../../../kernel-series/inputs.ts";
import { exportCover, exportMailbox } from "../../../kernel-series/mailbox.ts";
import { checkPatches, subjectOf, touchedFiles } from "../../../kernel-series/patch-check.ts";
import { kernelTree, skipWithout } from "../kernel-trees.ts";
import { tempFolder } from "../temp.ts";

const names = patchNames(seriesFolder());
const mailOf = (name: string) => readFileSync(join(seriesFolder(), "patches", name), "utf8");
const scratch = tempFolder("patch-check");

test("subjectOf() unfolds the subject and drops its tag", () =>
  assert.is(
    subjectOf("From: x\nSubject: [PATCH 2/4] PCI: Let drivers map\n their memory\nDate: x\n"),
    "PCI: Let drivers map their memory",
  ));

test("exportMailbox() has every patch once, in order, with the headers git am wants and no others", () => {
  const mails = exportMailbox()
    .split(/^From 0{40} .*\n/m)
    .slice(1);
  assert.equal(
    mails.map(subjectOf),
    names.map((name) => subjectOf(mailOf(name))),
  );
  for (const mail of mails) {
    const headers = mail.slice(0, mail.indexOf("\n\n")).match(/^[A-Z][\w-]*(?=:)/gm);
    assert.equal(headers, ["From", "Date", "Subject"]);
  }
});

test("exportCover() counts the patches and lists their subjects", () => {
  const cover = exportCover();
  assert.match(cover, /^From 0{40} .*\nFrom: .*\nDate: .*\nSubject: \[PATCH 0\/\d+\] /);
  assert.match(cover, new RegExp(`^Subject: \\[PATCH 0/${names.length}\\] `, "m"));
  assert.match(cover, new RegExp(`\\(${names.length}\\):\\n(?:  \\S.*\\n){${names.length}}\\n`));
  for (const name of names) assert.ok(cover.includes(`\n  ${subjectOf(mailOf(name))}\n`), name);
  for (const path of names.map(mailOf).flatMap(touchedFiles))
    assert.ok(cover.includes(path.split("/").slice(-1)[0] ?? ""));
});

const tree = await kernelTree("6.12");
if (tree === undefined) {
  skipWithout("6.12", "patches against Linux 6.12");
} else {
  test("patches apply to 6.12 without offset or fuzz, and leave it as it is", () => {
    const before = readFileSync(join(tree, "drivers/pci/p2pdma.c"), "utf8");
    const results = checkPatches(tree);
    assert.equal(
      results.map(({ verdict }) => verdict),
      names.map(() => "clean"),
    );
    assert.is(readFileSync(join(tree, "drivers/pci/p2pdma.c"), "utf8"), before);
  });

  test("lines added above a hunk are an offset", () => {
    const results = checkPatches(variant((text) => `/* one */\n/* two */\n${text}`));
    assert.equal([results[0]?.verdict, results[0]?.offset], ["offset", 2]);
  });

  test("context that differs at the end of a hunk is fuzz", () => {
    const results = checkPatches(
      variant((text) => text.replace("static DEVICE_ATTR_RO(published);", "static DEVICE_ATTR_RO(own);")),
    );
    assert.equal([results[0]?.verdict, results[0]?.fuzz], ["fuzz", 2]);
  });

  test("a line that is gone makes the patch fail, and it is named", () => {
    const results = checkPatches(
      variant((text) => text.replace("struct pci_dev *pdev = to_pci_dev(kobj_to_dev(kobj));", "")),
    );
    assert.is(results[0]?.verdict, "fails");
    assert.match(results[0]?.problems[0] ?? "", /^drivers\/pci\/p2pdma\.c: Hunk #1 FAILED at \d+/);
  });

  test("a file that is gone, a folder or a link to itself fails with one reason; a link to the file is as good", () => {
    const path = "drivers/pci/p2pdma.c";
    const linked = copy();
    const at = join(linked, path);
    for (const make of [() => {}, () => mkdirSync(at), () => symlinkSync("p2pdma.c", at)]) {
      rmSync(at, { recursive: true, force: true });
      make();
      const results = checkPatches(linked);
      assert.equal(
        results.slice(0, 3).map(({ verdict }) => verdict),
        ["fails", "fails", "clean"],
      );
      assert.equal(results[0]?.problems, [`${path}: there is no such file`]);
    }
    rmSync(at, { force: true });
    symlinkSync(join(tree, path), at);
    assert.equal(
      checkPatches(linked).map(({ verdict }) => verdict),
      names.map(() => "clean"),
    );
  });

  test("a tree that has some or all of the series is recognised", () => {
    const patched = copy();
    for (const [count, name] of names.entries()) {
      assert.is(spawnSync("patch", ["-p1", "--batch"], { cwd: patched, input: mailOf(name) }).status, 0);
      const expected = names.map((_, index) => (index <= count ? "applied-already" : "clean"));
      assert.equal(
        checkPatches(patched).map(({ verdict }) => verdict),
        expected,
      );
    }
  });

  test("git am takes the mailbox, and gives back what went in", () => {
    const repository = copy();
    const git = (...args: string[]) => {
      const identity = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid"];
      const { status, stdout, stderr } = spawnSync("git", [...identity, ...args], {
        cwd: repository,
        encoding: "utf8",
      });
      assert.is(status, 0, stderr);
      return stdout;
    };
    git("init", "--quiet");
    git("add", "--force", ".");
    git("commit", "--quiet", "--message=base");
    writeFileSync(join(scratch, "series.mbox"), exportMailbox());
    git("am", "--quiet", join(scratch, "series.mbox"));
    assert.equal(
      git("log", "--reverse", "--format=%s", `-${names.length}`).trim().split("\n"),
      names.map((name) => subjectOf(mailOf(name))),
    );
    assert.equal(
      new Set(git("log", "--format=%an %ae", `-${names.length}`).trim().split("\n")),
      new Set(["The p2pdma authors maintainers@p2pdma.invalid"]),
    );
    assert.is(git("status", "--porcelain"), "");
  });

  for (const name of names) {
    test(`checkpatch --strict has nothing to say about ${name}`, () => {
      for (const folder of ["arch", "drivers", "fs", "init", "ipc"])
        mkdirSync(join(checkTree(), folder), { recursive: true });
      const args = ["scripts/checkpatch.pl", "--strict", "--no-color", join(seriesFolder(), "patches", name)];
      const { stdout } = spawnSync("perl", args, { cwd: checkTree(), encoding: "utf8" });
      assert.match(stdout, /^total: 0 errors, 0 warnings, 0 checks, \d+ lines checked$/m);
    });
  }

  test("checkpatch is able to find something", () => {
    const bad = join(scratch, "bad.patch");
    writeFileSync(bad, mailOf(names[0] ?? "").replace(/^(\+.*;)$/m, "$1 "));
    const { stdout } = spawnSync("perl", ["scripts/checkpatch.pl", "--strict", bad], {
      cwd: checkTree(),
      encoding: "utf8",
    });
    assert.not.match(stdout, /^total: 0 errors, 0 warnings, 0 checks/m);
    assert.match(stdout, /^total: /m);
  });

  let checked: string | undefined;
  function checkTree(): string {
    checked ??= copy();
    return checked;
  }

  /** A copy of the tree, without the stamp. */
  function copy(): string {
    const folder = mkdtempSync(join(scratch, "tree-"));
    cpSync(tree ?? "", folder, { recursive: true });
    rmSync(join(folder, ".stamp"));
    return folder;
  }

  function variant(change: (text: string) => string): string {
    const folder = copy();
    const path = join(folder, "drivers/pci/p2pdma.c");
    const text = readFileSync(path, "utf8");
    assert.is.not(change(text), text);
    writeFileSync(path, change(text));
    return folder;
  }
}

test("the series documents its interfaces and has a selftest", () => {
  const touched = names.map(mailOf).flatMap(touchedFiles);
  for (const path of [
    "Documentation/ABI/testing/dev-nvme",
    "Documentation/ABI/testing/sysfs-driver-pci-p2pmem-bar",
  ])
    assert.ok(touched.includes(path), path);
  assert.ok(touched.includes("Documentation/driver-api/pci/p2pdma.rst"));
  assert.ok(touched.includes("tools/testing/selftests/pci_p2pdma/p2pmem_mmap.c"));
});

test.run();
