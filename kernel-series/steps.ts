// SPDX-License-Identifier: MIT
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { KernelBuildError } from "./errors.ts";
import type { BuildFolder } from "./folders.ts";
import { type KernelInputs, patchNames } from "./inputs.ts";
import type { Progress } from "./progress.ts";
import { type RunOptions, run } from "./run.ts";
import { sourceTarball } from "./tarball.ts";

/** One build under way. */
export interface Build {
  readonly series: string;
  readonly inputs: KernelInputs;
  readonly folder: BuildFolder;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** The descriptor that holds the lock on the folder. */
  readonly lock: number;
}

/** What of the source no configuration here compiles: half of it. Makefiles and Kconfig files have to stay. */
const unused = [
  ...["drivers/gpu", "drivers/media", "drivers/staging", "drivers/infiniband", "drivers/usb", "drivers/iio"],
  ...["drivers/net/ethernet", "drivers/net/wireless", "drivers/accel", "drivers/scsi", "sound", "arch/[!x]*"],
].flatMap((folder) => [`*/${folder}/*.[chS]`, `*/${folder}/*.dts*`]);
/** The series adds a selftest to the list of them. */
const unusedFolders = [
  ...["tools/perf", "tools/testing/[!s]*", "tools/testing/selftests/*/*", "Documentation/devicetree"],
].map((folder) => `*/${folder}`);

/** About how many files the archive yields and how many steps make prints; for the progress bar only. */
const expected = { files: 43_910, steps: 1_930 };

/** Where each part begins and ends in the whole, by the time it takes. */
const parts = { unpack: [0, 0.06], configure: [0.06, 0.07], compile: [0.07, 1] } as const;

/** Unpacks what the lab's kernel needs of the source, and patches it. */
export async function unpack(build: Build): Promise<void> {
  await unpackWithout(build, [...unused, ...unusedFolders]);
}

/** Unpacks all of the source, and patches it. */
export async function unpackAll(build: Build): Promise<void> {
  await unpackWithout(build, []);
}

/** One unit: what an interruption leaves behind is thrown away. */
async function unpackWithout(build: Build, left: readonly string[]): Promise<void> {
  const { folder, series } = build;
  const stamp = join(folder.path, "unpacked");
  if (existsSync(stamp)) return;
  rmSync(folder.tree, { recursive: true, force: true });
  mkdirSync(folder.tree, { recursive: true });

  const excluded = left.map((pattern) => `--exclude=${pattern}`);
  const archive = ["-I", "xz -T0", "-xvf", sourceTarball(), "--strip-components=1", ...excluded];
  const onLine = counter(build, "unpacking", parts.unpack, expected.files);
  await run("tar", archive, { ...runIn(build), onLine: (line) => !onLine(line) });
  for (const name of patchNames(series)) await applyPatch(build, name);
  writeFileSync(stamp, "");
}

async function applyPatch(build: Build, name: string): Promise<void> {
  const input = join(build.series, "patches", name);
  try {
    await run("patch", ["-p1", "--batch", "--forward", "--input", input], runIn(build));
  } catch (cause) {
    if (build.signal.aborted) throw cause;
    throw new KernelBuildError(`Cannot apply "${name}" to "${sourceTarball()}"`, {
      hint: `the series is made for Linux 6.12; see ${build.folder.log}`,
      cause,
    });
  }
}

/** Merges the fragments over the tiny configuration, everything else switched off. */
export async function configure(build: Build): Promise<void> {
  const { folder, series, inputs, progress } = build;
  const stamp = join(folder.path, "configured");
  if (existsSync(stamp)) return;
  progress.update("configuring", parts.configure[0]);
  const fragments = inputs.config.map(({ name }) => join(series, "config", name));
  const tiny = [
    "kernel/configs/tiny-base.config",
    "kernel/configs/tiny.config",
    "arch/x86/configs/tiny.config",
  ];
  await run("scripts/kconfig/merge_config.sh", ["-n", ...tiny, ...fragments], runIn(build));

  const config = readFileSync(join(folder.tree, ".config"), "utf8");
  const missing = missingOptions(
    fragments.map((path) => readFileSync(path, "utf8")),
    config,
  );
  if (missing.length > 0)
    throw new KernelBuildError(`This kernel source cannot have: ${missing.join(", ")}`, {
      hint: "an option was renamed, or depends on one that is not in the fragment",
    });
  writeFileSync(stamp, "");
}

/** The options that fragments ask for, the last one having its way, and `config` does not have. */
export function missingOptions(fragments: readonly string[], config: string): string[] {
  const wanted = new Map(fragments.flatMap(parseOptions));
  const actual = new Map(parseOptions(config));
  return [...wanted]
    .filter(([name, value]) => (actual.get(name) ?? "n") !== value)
    .map(([name, value]) => `${name}=${value}`);
}

/** Names, with `CONFIG_`, and values; `n` for what is off. */
export function parseOptions(text: string): [string, string][] {
  return text.split(/\r?\n/).flatMap((line): [string, string][] => {
    const [, name, value] = /^(CONFIG_\w+)=(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) return [[name, value]];
    const [, unset] = /^# (CONFIG_\w+) is not set$/.exec(line) ?? [];
    return unset === undefined ? [] : [[unset, "n"]];
  });
}

/** Compiles, taking up what is there already. */
export async function compile(build: Build): Promise<void> {
  const onLine = counter(build, "compiling", parts.compile, expected.steps, countObjects(build.folder.tree));
  const args = [`-j${availableParallelism()}`, "bzImage"];
  await run("make", args, { ...runIn(build), onLine: (line) => onLine(line) || true });
}

/** Where and how a build runs its commands. */
export function runIn({ folder, signal, lock }: Build): RunOptions {
  return { cwd: folder.tree, log: folder.log, signal, lock };
}

/** Turns lines of output into progress within one part of the whole. */
function counter(
  { progress }: Build,
  stage: string,
  [from, to]: readonly [number, number],
  total: number,
  start = 0,
): (line: string) => boolean {
  let count = start;
  return (line) => {
    if (line.startsWith("make")) return false;
    count++;
    progress.update(stage, from + (to - from) * Math.min(0.99, count / total));
    return true;
  };
}

function countObjects(tree: string): number {
  const names = readdirSync(tree, { recursive: true, encoding: "utf8" });
  return names.filter((name) => name.endsWith(".o")).length;
}
