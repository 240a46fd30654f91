// SPDX-License-Identifier: MIT
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

/** A folder on a real file system (O_DIRECT needs one), removed when the process ends. */
export function tempFolder(name: string): string {
  const folder = mkdtempSync(join("/var/tmp", `p2pdma-${name}-`));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
