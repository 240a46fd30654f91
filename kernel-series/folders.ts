// SPDX-License-Identifier: MIT
import { homedir } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../lab/package-root.ts";

/** This folder, wherever the package is installed. */
export function seriesFolder(): string {
  return join(packageRoot(), "kernel-series");
}

/** Kernels are kept in $XDG_CACHE_HOME/p2pdma, by default ~/.cache/p2pdma. */
export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "p2pdma");
}

/** Where one kernel is built. All of it but the lock goes away when the kernel is done. */
export interface BuildFolder {
  readonly path: string;
  readonly tree: string;
  readonly log: string;
  readonly lock: string;
}

export function buildFolder(cache: string, key: string): BuildFolder {
  const path = join(cache, "build", key);
  return { path, tree: join(path, "source"), log: join(path, "build.log"), lock: `${path}.lock` };
}
