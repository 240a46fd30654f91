// SPDX-License-Identifier: MIT
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { KernelBuildError } from "./errors.ts";
import { cacheRoot, seriesFolder } from "./folders.ts";
import { fragmentText, missingGroups, parseFragment } from "./fragment.ts";
import { patchNames } from "./inputs.ts";
import { withInterrupts } from "./interrupts.ts";
import { withLock } from "./lock.ts";
import { requireBuildTools, requireTools } from "./requirements.ts";
import { type RunOptions, run } from "./run.ts";
import { parseOptions } from "./steps.ts";
import { sourceTarball } from "./tarball.ts";

export interface PackageOptions {
  /** The configuration to begin with. */
  readonly config: string;
  /** Where the packages go. */
  readonly folder: string;
  readonly series?: string;
  readonly cache?: string;
}

const packagingTools = ["dpkg-buildpackage", "dh", "fakeroot", "rsync", "openssl"];
const packagingHint = "apt-get install debhelper fakeroot rsync kmod cpio libssl-dev";

/**
 * Builds Debian packages of the whole source with our patches: `config`, what peer-to-peer DMA needs on top,
 * everything else as it was. Answers their paths. Nothing is kept between two calls.
 * @throws KernelBuildError
 */
export async function buildPackages(options: PackageOptions): Promise<string[]> {
  const { config, folder, series = seriesFolder(), cache = cacheRoot() } = options;
  requireBuildTools(cache);
  requireTools(packagingTools, packagingHint);
  if (!existsSync(config)) throw new KernelBuildError(`There is no configuration "${config}"`);
  mkdirSync(folder, { recursive: true });
  mkdirSync(join(cache, "build"), { recursive: true });
  const work = mkdtempSync(join(cache, "build", "deb-"));
  return withInterrupts(undefined, (signal) =>
    withLock(join(work, "lock"), { signal }, async (lock) => {
      const tree = join(work, "source");
      const inTree: RunOptions = { cwd: tree, log: join(resolve(folder), "build.log"), signal, lock };
      try {
        await prepareTree(tree, series, inTree);
        await configureTree(resolve(config), series, inTree);
        await run("make", [`-j${availableParallelism()}`, "bindeb-pkg"], inTree);
        return movePackages(work, resolve(folder));
      } finally {
        rmSync(work, { recursive: true, force: true });
      }
    }),
  );
}

async function prepareTree(tree: string, series: string, inTree: RunOptions): Promise<void> {
  mkdirSync(tree);
  await run("tar", ["-I", "xz -T0", "-xf", sourceTarball(), "--strip-components=1"], inTree);
  for (const name of patchNames(series)) {
    const input = join(series, "patches", name);
    await run("patch", ["-p1", "--batch", "--forward", "--input", input], inTree);
  }
}

/** The fragment comes last, so it wins; what the kernel still refuses is an error rather than a surprise. */
async function configureTree(config: string, series: string, inTree: RunOptions): Promise<void> {
  const { cwd } = inTree;
  const fragment = join(series, "config", "minimal.config");
  await run("scripts/kconfig/merge_config.sh", ["-m", config, fragment], inTree);
  await run("scripts/config", ["-m", "PCI_P2PMEM_BAR"], inTree);
  await run("make", ["olddefconfig"], inTree);
  const values = new Map(parseOptions(readFileSync(join(cwd, ".config"), "utf8")));
  const missing = missingGroups("minimal", parseFragment(fragmentText("minimal", series)), values);
  if (missing.length === 0) return;
  const names = missing.flatMap((group) => group.options.map(({ name }) => name));
  throw new KernelBuildError(`This configuration cannot have: ${names.join(", ")}`, {
    hint: "an option that they depend on is off",
  });
}

function movePackages(work: string, folder: string): string[] {
  const names = readdirSync(work).filter((name) => name.endsWith(".deb"));
  return names.sort().map((name) => {
    copyFileSync(join(work, name), join(folder, name));
    return join(folder, name);
  });
}
