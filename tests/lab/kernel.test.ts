// SPDX-License-Identifier: MIT
// What kernel status says of the lab's kernel, and what our patches' own selftest says.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { exportMailbox } from "../../kernel-series/mailbox.ts";
import { captureIn, startLab } from "../../lab/run.ts";
import { kernelTree, skipWithout } from "../unit/kernel-trees.ts";
import { p2pdma } from "./boot.ts";

interface Status {
  readonly kernel: { readonly kind: string; readonly version: string };
  readonly uses: readonly { readonly use: string; readonly state: string }[];
  readonly features: readonly { readonly id: string; readonly state: string; readonly evidence: string }[];
}

const scratch = mkdtempSync(join(tmpdir(), "p2pdma-kernel-"));
const selftest = buildSelftest(await kernelTree("6.12"));
const lab = await startLab({ topology: "switch" });
const told = await captureIn(lab, { command: [...p2pdma, "kernel", "status", "--json"], timeoutMs: 120_000 });
const tested = selftest && (await captureIn(lab, { command: [selftest], timeoutMs: 120_000 }));
const log = await captureIn(lab, { command: ["dmesg"], timeoutMs: 60_000 });
await lab.close();
rmSync(scratch, { recursive: true });

const status = JSON.parse(told.stdout) as Status;
const find = (id: string) => status.features.find((feature) => feature.id === id);

test("the lab's kernel is good for copies, passthrough and an NVMe target, not for RDMA", () => {
  assert.is(status.kernel.kind, "running");
  assert.match(status.kernel.version, /^6\.12\.\d+-p2pdma-lab/);
  assert.equal(Object.fromEntries(status.uses.map(({ use, state }) => [use, state])), {
    ...{ copy: "present", files: "present", passthrough: "present", rdma: "absent", nvmet: "present" },
  });
});

test("both ways to allocate are seen, each by itself", () => {
  assert.match(find("sysfs-allocate")?.evidence ?? "", /^\/sys\/bus\/pci\/devices\/.*\/p2pmem\/allocate$/);
  assert.is(find("driver-mmap")?.evidence, "/proc/kallsyms has pci_mmap_p2pmem()");
  assert.is(find("nvme-mmap")?.evidence, "/proc/kallsyms has nvme_dev_mmap()");
});

test("what later kernels have is not seen here", () => {
  for (const id of ["providers", "refusal-einval", "vfio-dmabuf"]) assert.is(find(id)?.state, "absent", id);
});

if (tested) {
  test("the selftest that our patches bring passes, on sysfs and on the character device", () => {
    assert.is(tested.exitCode, 0, tested.stdout);
    assert.match(tested.stdout, /^ok \d+ \/sys\/.*\/allocate: takes memory/m);
    assert.match(tested.stdout, /^ok \d+ \/dev\/nvme\d+: takes memory/m);
    assert.match(tested.stdout, /^# Totals: pass:8 fail:0 xfail:0 xpass:0 skip:0 error:0$/m);
    assert.not.match(log.stdout, /BUG:|WARNING:|Call Trace/);
  });
} else {
  skipWithout("6.12", "the selftest of our patches");
}

/** Compiles the selftest as the patch adds it, with the kernel's own header for selftests. */
function buildSelftest(tree: string | undefined): string | undefined {
  if (tree === undefined) return undefined;
  const folder = join(scratch, "pci_p2pdma");
  const path = "tools/testing/selftests/pci_p2pdma/p2pmem_mmap.c";
  const [, diff = ""] = exportMailbox().split(`diff --git a/${path} `);
  const [, ...added] = (diff.split(/^diff --git |^From 0{40}/m)[0] ?? "").split(/^@@ .* @@\n/m);
  mkdirSync(folder);
  writeFileSync(join(folder, "p2pmem_mmap.c"), added.join("").replace(/^\+/gm, ""));
  writeFileSync(
    join(scratch, "kselftest.h"),
    readFileSync(join(tree, "tools/testing/selftests/kselftest.h")),
  );
  const args = ["-Wall", "-Werror", "-O2", "-o", "p2pmem_mmap", "p2pmem_mmap.c"];
  const { status: exit, stderr } = spawnSync("gcc", args, { cwd: folder, encoding: "utf8" });
  if (exit !== 0) throw new Error(stderr);
  return join(folder, "p2pmem_mmap");
}

test.run();
