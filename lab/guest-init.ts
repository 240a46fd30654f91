// SPDX-License-Identifier: MIT
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "./errors.ts";
import { writeCpio } from "./initramfs.ts";
import { packageRoot } from "./package-root.ts";

/** The initramfs of the guest: one static program. Builds it first when its sources are newer. */
export function guestInitramfs(): Buffer {
  return writeCpio([{ name: "init", mode: 0o755, data: readFileSync(ensureGuestInit()) }]);
}

/** Path of the guest's init, built when it is missing or older than its sources. */
export function ensureGuestInit(root = packageRoot()): string {
  const program = join(root, "dist", "lab-init");
  const sources = join(root, "lab", "guest");
  if (isOlder(program, sources)) build(sources);
  return program;
}

/** A package installed without the sources has nothing to compare with. */
function isOlder(program: string, sources: string): boolean {
  if (!existsSync(sources)) return false;
  if (!existsSync(program)) return true;
  const built = statSync(program).mtimeMs;
  return readdirSync(sources).some((name) => statSync(join(sources, name)).mtimeMs > built);
}

function build(sources: string): void {
  const { error, status, stderr } = spawnSync("make", ["-s", "-C", sources], { encoding: "utf8" });
  if (status === 0) return;
  throw new LabError(
    `Cannot build the lab's guest init in "${sources}": ${error?.message ?? stderr.trim()}`,
    {
      hint: "apt-get install make gcc libc6-dev",
      cause: error,
    },
  );
}
