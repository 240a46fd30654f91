// SPDX-License-Identifier: MIT
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, statfsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { KernelBuildError } from "./errors.ts";
import { sourceTarball } from "./tarball.ts";

const tools = ["tar", "xz", "patch", "make", "gcc", "ld", "flex", "bison", "bc", "flock"];
const hint = "apt-get install linux-source-6.12 gcc make flex bison bc libelf-dev xz-utils patch";

/** Source, tree and objects of one build, with room to spare. */
const neededBytes = 1n << 30n;

/** Throws KernelBuildError if a kernel cannot be built on this machine, naming all that is missing. */
export function requireBuildTools(cache: string): void {
  if (process.arch !== "x64") throw new KernelBuildError(`Cannot build an x86-64 kernel on ${process.arch}`);
  const missing = tools.filter((tool) => !isInPath(tool));
  if (!missing.includes("gcc") && !hasHeader("gelf.h")) missing.push("gelf.h");
  if (!existsSync(sourceTarball())) missing.push(sourceTarball());
  if (missing.length > 0)
    throw new KernelBuildError(`Cannot build the kernel without ${missing.join(", ")}`, { hint });
  requireSpace(cache);
}

/** Throws KernelBuildError naming those of the tools that are not here. */
export function requireTools(names: readonly string[], hint: string): void {
  const missing = names.filter((name) => !isInPath(name));
  if (missing.length > 0) throw new KernelBuildError(`Cannot go on without ${missing.join(", ")}`, { hint });
}

function isInPath(tool: string): boolean {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.some((folder) => {
    try {
      accessSync(join(folder, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function hasHeader(name: string): boolean {
  const input = `#include <${name}>\n`;
  return spawnSync("gcc", ["-E", "-x", "c", "-", "-o", "/dev/null"], { input }).status === 0;
}

function requireSpace(cache: string): void {
  mkdirSync(cache, { recursive: true });
  const { bavail, bsize } = statfsSync(cache, { bigint: true });
  if (bavail * bsize >= neededBytes) return;
  throw new KernelBuildError(
    `Cannot build the kernel in "${cache}": it takes 1 GiB, free are ${(bavail * bsize) >> 20n} MiB`,
    {
      hint: "set XDG_CACHE_HOME to a folder with more room",
    },
  );
}
