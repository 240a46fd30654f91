// SPDX-License-Identifier: MIT
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seriesFolder } from "../../kernel-series/folders.ts";

/** Compiles the selftests into a temporary folder, which the guest sees too, for as long as `use` takes. */
export async function withSelftests<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "p2pdma-selftest-"));
  try {
    execFileSync("make", ["-s", "-C", join(seriesFolder(), "selftest"), `OUTPUT=${folder}`]);
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
