// SPDX-License-Identifier: MIT
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { cacheRoot } from "../kernel-series/folders.ts";

const root = join(import.meta.dirname, "..");

/** The standalone program; made when what it is made of is newer. */
export function standaloneProgram(): string {
  const program = join(root, "build", "standalone", "p2pdma");
  const modified = (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = readdirSync(join(root, "standalone")).map((name) => `standalone/${name}`);
  const parts = ["dist/bundle.cjs", "dist/libp2pdma.so", "scripts/build-standalone.ts", ...sources];
  const newest = Math.max(...parts.map((path) => modified(join(root, path))));
  if (modified(program) <= newest) {
    const script = join(root, "scripts", "build-standalone.ts");
    execFileSync(process.execPath, ["--import", "tsx", script], { cwd: root, stdio: "ignore" });
  }
  return program;
}

/**
 * The smallest Debian 12 that debootstrap makes, without Node; made once, and not to be changed. Undefined where that
 * can't be, after it said why.
 */
export function bareDebian(): string | undefined {
  const folder = join(cacheRoot(), "roots", "bookworm-minbase");
  if (existsSync(folder)) return folder;
  if (process.getuid?.() !== 0) return skip("only root can make one");
  const draft = `${folder}.new-${process.pid}`;
  mkdirSync(dirname(folder), { recursive: true });
  const { status, error } = spawnSync("debootstrap", ["--variant=minbase", "bookworm", draft], {
    stdio: "ignore",
  });
  if (status !== 0) {
    rmSync(draft, { recursive: true, force: true });
    return skip(error ? "debootstrap is not installed" : "debootstrap could not fetch it");
  }
  if (!existsSync(folder)) renameSync(draft, folder);
  return folder;
}

function skip(reason: string): undefined {
  console.log(`# skip: in a bare Debian 12: ${reason}`);
}
