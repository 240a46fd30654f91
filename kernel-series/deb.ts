// SPDX-License-Identifier: MIT
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join, resolve } from "node:path";
import { KernelBuildError } from "./errors.ts";
import { buildFolder, cacheRoot, seriesFolder } from "./folders.ts";
import { fragmentText, missingGroups, parseFragment } from "./fragment.ts";
import { kernelInputs, kernelKey } from "./inputs.ts";
import { withInterrupts } from "./interrupts.ts";
import { withLock } from "./lock.ts";
import { createTicker, type Progress } from "./progress.ts";
import { requirePackagingTools } from "./requirements.ts";
import { run } from "./run.ts";
import { type Build, parseOptions, runIn, unpackAll } from "./steps.ts";

export interface PackageOptions {
  /** The configuration to begin with, its text. */
  readonly config: string;
  /** Where the packages go. */
  readonly folder: string;
  readonly series?: string;
  readonly cache?: string;
  /** Where progress is shown; default: stderr. */
  readonly output?: NodeJS.WritableStream;
}

/** What tells this kernel from the distribution's, in `uname -r`, in /boot and in /lib/modules. */
const SUFFIX = "-p2pdma";

/**
 * Builds Debian packages of the whole source with our patches: `config`, what peer-to-peer DMA needs on top,
 * everything else as it was. Answers their paths. A build that was interrupted is taken up again.
 * @throws KernelBuildError
 */
export async function buildPackages(options: PackageOptions): Promise<string[]> {
  const { config, folder, series = seriesFolder(), cache = cacheRoot(), output = process.stderr } = options;
  requirePackagingTools(cache);
  mkdirSync(folder, { recursive: true });
  const inputs = kernelInputs({ series, cache });
  const sha256 = createHash("sha256").update(config).update(fragmentText("minimal", series)).digest("hex");
  const work = buildFolder(cache, kernelKey({ ...inputs, config: [{ name: "packages", sha256 }] }));
  const onWait = () => void output.write(`kernel: waiting for another process (${work.lock})\n`);
  return withInterrupts(undefined, (signal) =>
    withLock(work.lock, { onWait, signal }, async (lock) => {
      mkdirSync(work.path, { recursive: true });
      output.write(`kernel: building packages; log: ${work.log}\n`);
      const progress = createTicker({ output });
      const build: Build = { series, inputs, folder: work, progress, signal, lock };
      await unpackAll(build);
      await configure(build, config, output);
      await makePackages(build, progress);
      const packages = keepPackages(work.path, resolve(folder));
      rmSync(work.path, { recursive: true, force: true });
      return packages;
    }),
  );
}

/** The fragment comes last, so it wins; what the kernel still refuses is an error rather than a surprise. */
async function configure(build: Build, config: string, output: NodeJS.WritableStream): Promise<void> {
  const { series, folder, progress } = build;
  const stamp = join(folder.path, "configured");
  if (existsSync(stamp)) return;
  progress.update("configuring", 0);
  const [base, merged] = [join(folder.path, "config"), join(folder.tree, ".config")];
  writeFileSync(base, config);
  const fragment = join(series, "config", "minimal.config");
  await run("scripts/kconfig/merge_config.sh", ["-m", base, fragment], runIn(build));
  const given = new Map(parseOptions(readFileSync(merged, "utf8")));
  const changes = [...localVersion(given), ...lostKeys(given, folder.tree)];
  await run("scripts/config", ["-m", "PCI_P2PMEM_BAR", ...changes], runIn(build));
  await run("make", ["olddefconfig"], runIn(build));

  const values = new Map(parseOptions(readFileSync(merged, "utf8")));
  requireFragment(series, values);
  const lost = lostOptions(given, values);
  if (lost.length > 0) output.write(`kernel: this source or machine cannot have ${listed(lost)}\n`);
  writeFileSync(stamp, "");
}

function requireFragment(series: string, values: ReadonlyMap<string, string>): void {
  const missing = missingGroups("minimal", parseFragment(fragmentText("minimal", series)), values);
  if (missing.length === 0) return;
  const names = missing.flatMap((group) => group.options.map(({ name }) => name));
  throw new KernelBuildError(`This configuration cannot have: ${names.join(", ")}`, {
    hint: "an option that they depend on is off",
  });
}

function localVersion(values: ReadonlyMap<string, string>): string[] {
  const own = unquoted(values.get("CONFIG_LOCALVERSION"));
  return own.includes(SUFFIX) ? [] : ["--set-str", "LOCALVERSION", `${own}${SUFFIX}`];
}

/** Distributions compile in certificates that are not part of their source package: the build would stop there. */
export function lostKeys(values: ReadonlyMap<string, string>, tree: string): string[] {
  const names = ["SYSTEM_TRUSTED_KEYS", "SYSTEM_REVOCATION_KEYS"].filter((name) => {
    const file = unquoted(values.get(`CONFIG_${name}`));
    return file !== "" && !existsSync(resolve(tree, file));
  });
  return names.flatMap((name) => ["--set-str", name, ""]);
}

/** What was on in the configuration and is not any more. */
export function lostOptions(
  given: ReadonlyMap<string, string>,
  values: ReadonlyMap<string, string>,
): string[] {
  return [...given].flatMap(([name, value]) =>
    (value === "y" || value === "m") && (values.get(name) ?? "n") === "n" ? [name] : [],
  );
}

const SHOWN = 8;

function listed(names: readonly string[]): string {
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : "";
  return `${names.slice(0, SHOWN).join(", ")}${more}, which the configuration has on`;
}

function unquoted(value: string | undefined): string {
  return value?.replace(/^"|"$/g, "") ?? "";
}

/** The kernel counts its builds in .version, and names the packages by that count. */
async function makePackages(build: Build, progress: Progress): Promise<void> {
  const { folder } = build;
  for (const path of packagesIn(folder.path)) rmSync(path);
  rmSync(join(folder.tree, ".version"), { force: true });
  let steps = 0;
  const onLine = (line: string) => {
    if (/^ {2}[A-Z]/.test(line)) progress.update(`step ${++steps}: ${line.trim().replace(/\s+/g, " ")}`, 0);
    return true;
  };
  const args = [`-j${availableParallelism()}`, "KBUILD_VERBOSE=0", "bindeb-pkg"];
  await run("make", args, { ...runIn(build), onLine });
}

function packagesIn(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(".deb"));
  return names.sort().map((name) => join(folder, name));
}

/** Without linux-libc-dev: it would replace the distribution's, for nothing. */
function keepPackages(from: string, to: string): string[] {
  const names = packagesIn(from).map((path) => basename(path));
  const wanted = names.filter((name) => !name.startsWith("linux-libc-dev"));
  for (const name of [...wanted, "build.log"]) copyFileSync(join(from, name), join(to, name));
  return wanted.map((name) => join(to, name));
}
