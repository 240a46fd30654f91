// SPDX-License-Identifier: MIT
// Kernel sources to try things on: the files that matter, out of the distribution's source packages.
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { test } from "uvu";
import { features } from "../../core/kernel/index.ts";
import type { Probe } from "../../core/kernel/probe.ts";
import { cacheRoot } from "../../kernel-series/folders.ts";
import { withLock } from "../../kernel-series/lock.ts";
import { ancestors, revisions, seriesPatches, successors } from "../../kernel-series/series/index.ts";

export type KernelSeries = "6.1" | "6.12";

/** What checkpatch.pl wants to see, to believe that it stands in a kernel source. */
const CHECKPATCH = [
  ...["COPYING", "CREDITS", "Kbuild", "Makefile", "README", "MAINTAINERS", "arch/Kconfig", "init/Kconfig"],
  ...["ipc/Makefile", "scripts/checkpatch.pl", "scripts/spelling.txt", "scripts/const_structs.checkpatch"],
  "Documentation/process/deprecated.rst",
];

/** What our patches touch. */
const TOUCHED = [
  ...["Documentation/driver-api/pci/p2pdma.rst", "drivers/pci/Kconfig", "drivers/pci/Makefile"],
  ...["drivers/nvme/host/nvme.h", "include/linux/pci-p2pdma.h", "tools/testing/selftests/Makefile"],
  "tools/testing/selftests/kselftest.h",
];

/**
 * The unpacked files of Debian's linux-source package, undefined where it is not installed. Unpacked once,
 * some 20 seconds. Never change them: take a copy.
 */
export async function kernelTree(series: KernelSeries): Promise<string | undefined> {
  const archive = `/usr/src/linux-source-${series}.tar.xz`;
  const stat = statSync(archive, { throwIfNoEntry: false });
  if (!stat) return undefined;
  const probed = features.flatMap(({ probe }) => filesOf(probe));
  const paths = [...new Set([...probed, ...CHECKPATCH, ...TOUCHED, ...citedFiles()])];
  const stamp = `${archive} ${stat.size} ${stat.mtimeMs} ${paths.join(" ")}`;
  const tree = join(cacheRoot(), "sources", series);
  mkdirSync(dirname(tree), { recursive: true });
  await withLock(`${tree}.lock`, {}, async () => {
    if (existsSync(join(tree, ".stamp")) && read(join(tree, ".stamp")) === stamp) return;
    unpack(archive, paths, tree, stamp);
  });
  return tree;
}

/** What the series' data says was read in the code. */
export function codeSources(): string[] {
  const facts = [...seriesPatches, ...revisions, ...ancestors, ...successors];
  return facts.flatMap(({ sources }) => sources.flatMap(({ trust, text }) => (trust === "code" ? text : [])));
}

export function filesIn(text: string): string[] {
  return text.match(/(?:[\w-]+\/)+(?:[\w-]+\.[ch]\b|Kconfig\b|sysfs-[\w-]+)/g) ?? [];
}

function citedFiles(): string[] {
  return codeSources().flatMap(filesIn);
}

/** Prints why tests are left out, in the form that tests/run.ts shows, and counts them as skipped. */
export function skipWithout(series: KernelSeries, what: string): void {
  test.skip(what, () => {});
  console.log(`# skip: ${what}: the package linux-source-${series} is not installed`);
}

function unpack(archive: string, paths: readonly string[], tree: string, stamp: string): void {
  const draft = mkdtempSync(`${tree}.`);
  const names = paths.map((path) => `*/${path}`);
  const args = ["-I", "xz -T0", "-xf", archive, "-C", draft, "--strip-components=1", "--wildcards"];
  // Not every kernel has every file, which tar reports and goes on.
  spawnSync("tar", [...args, "--no-wildcards-match-slash", ...names], { stdio: "ignore" });
  if (!existsSync(join(draft, "drivers/pci/p2pdma.c"))) throw new Error(`cannot unpack ${archive}`);
  writeFileSync(join(draft, ".stamp"), stamp);
  rmSync(tree, { recursive: true, force: true });
  renameSync(draft, tree);
}

function filesOf(probe: Probe): readonly string[] {
  if ("all" in probe) return probe.all.flatMap(filesOf);
  if ("any" in probe) return probe.any.flatMap(filesOf);
  return "without" in probe ? filesOf(probe.without) : probe.in;
}

function read(path: string): string {
  return readFileSync(path, "utf8");
}
