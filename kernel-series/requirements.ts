// SPDX-License-Identifier: MIT
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, statfsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { KernelBuildError } from "./errors.ts";
import { sourceTarball } from "./tarball.ts";

/** What a build runs or includes (`x.h`), and Debian's package that brings it. */
const forKernel: readonly (readonly [string, string])[] = [
  ...(["gcc", "make", "flex", "bison", "bc", "patch", "tar"] as const).map((name) => [name, name] as const),
  ...([
    ["ld", "binutils"],
    ["xz", "xz-utils"],
    ["flock", "util-linux"],
    ["gelf.h", "libelf-dev"],
  ] as const),
];

/** What the kernel's own packaging needs on top, which it does not look for itself. */
const forPackages: readonly (readonly [string, string])[] = [
  ...(["rsync", "kmod", "cpio", "python3", "openssl"] as const).map((name) => [name, name] as const),
  ...([
    ["dpkg-buildpackage", "dpkg-dev"],
    ["dh_listpackages", "debhelper"],
  ] as const),
  ...([["openssl/bio.h", "libssl-dev"]] as const),
];

const GiB = 1n << 30n;

/** Throws KernelBuildError if a kernel cannot be built on this machine, naming all that is missing. */
export function requireBuildTools(cache: string): void {
  requireAll(forKernel);
  // Source, tree and objects of one build, with room to spare.
  requireSpace(cache, 1n);
}

/** The same for Debian packages. A distribution's configuration takes far more room than is asked for here. */
export function requirePackagingTools(cache: string): void {
  requireAll([...forKernel, ...forPackages]);
  requireSpace(cache, 4n);
}

function requireAll(needs: readonly (readonly [string, string])[]): void {
  if (process.arch !== "x64") throw new KernelBuildError(`Cannot build an x86-64 kernel on ${process.arch}`);
  const hasCompiler = isInPath("gcc");
  const missing = needs.filter(([name]) =>
    name.endsWith(".h") ? hasCompiler && !hasHeader(name) : !isInPath(name),
  );
  if (!existsSync(sourceTarball())) missing.push([sourceTarball(), "linux-source-6.12"]);
  if (missing.length === 0) return;
  throw new KernelBuildError(`Cannot build the kernel without ${missing.map(([name]) => name).join(", ")}`, {
    hint: `apt-get install ${missing.map(([, origin]) => origin).join(" ")}`,
  });
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

function requireSpace(cache: string, gibibytes: bigint): void {
  mkdirSync(cache, { recursive: true });
  const { bavail, bsize } = statfsSync(cache, { bigint: true });
  if (bavail * bsize >= gibibytes * GiB) return;
  throw new KernelBuildError(
    `Cannot build the kernel in "${cache}": it takes ${gibibytes} GiB, free are ${(bavail * bsize) >> 20n} MiB`,
    {
      hint: "set XDG_CACHE_HOME to a folder with more room",
    },
  );
}
