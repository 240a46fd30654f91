// SPDX-License-Identifier: MIT
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { seriesFolder } from "./folders.ts";
import { sourceDigest } from "./tarball.ts";

/** The kernels this folder knows how to build: the lab's, and the same with the kernel's own checks. */
export type Flavour = "lab" | "debug";

const fragmentsOf: Readonly<Record<Flavour, readonly string[]>> = {
  lab: ["lab.config"],
  debug: ["lab.config", "debug.config"],
};

/** Raise it when the steps in this folder change what comes out of the same inputs. */
const recipe = 1;

/** A file that goes into the kernel. */
export interface InputFile {
  readonly name: string;
  readonly sha256: string;
}

/** Everything a kernel is built from. Null is something this machine does not have. */
export interface KernelInputs {
  readonly recipe: number;
  readonly source: string | null;
  readonly compiler: string | null;
  readonly patches: readonly InputFile[];
  readonly config: readonly InputFile[];
}

export interface InputOptions {
  readonly flavour?: Flavour;
  /** The folder kernel-series; default: the package's own. */
  readonly series?: string;
  /** Where digests and kernels are kept; default: see cacheRoot(). */
  readonly cache?: string;
}

/** Looks at the patches, the configuration, the source package and the compiler of this machine. */
export function kernelInputs(options: InputOptions = {}): KernelInputs {
  const series = options.series ?? seriesFolder();
  return {
    recipe,
    source: sourceDigest(options.cache),
    compiler: compilerVersion(),
    patches: patchNames(series).map((name) => inputFile(join(series, "patches"), name)),
    config: fragmentsOf[options.flavour ?? "lab"].map((name) => inputFile(join(series, "config"), name)),
  };
}

/** The name of the kernel that these inputs make: 16 hex digits. */
export function kernelKey(inputs: KernelInputs): string {
  return createHash("sha256").update(JSON.stringify(inputs)).digest("hex").slice(0, 16);
}

/** Whether a kernel built from `built` is the one these inputs make; what is not here cannot differ. */
export function sameKernel(built: KernelInputs, wanted: KernelInputs): boolean {
  return (
    kernelKey(built) ===
    kernelKey({
      ...wanted,
      source: wanted.source ?? built.source,
      compiler: wanted.compiler ?? built.compiler,
    })
  );
}

/** The patches in the order they apply; 0000 is the cover letter. */
export function patchNames(series: string): string[] {
  const names = readdirSync(join(series, "patches"));
  return names.filter((name) => /^\d{4}-.*\.patch$/.test(name) && !name.startsWith("0000-")).sort();
}

function inputFile(directory: string, name: string): InputFile {
  const sha256 = createHash("sha256")
    .update(readFileSync(join(directory, name)))
    .digest("hex");
  return { name, sha256 };
}

function compilerVersion(): string | null {
  const { status, stdout } = spawnSync("gcc", ["--version"], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  return status === 0 ? (stdout.split("\n")[0] ?? null) : null;
}
