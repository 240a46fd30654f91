// SPDX-License-Identifier: MIT
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { HelperError } from "./errors.ts";

/**
 * Has `load` open the C helper. The standalone program has its own form of this file.
 * @throws HelperError when it is not there, or `load` throws: the package carries it compiled for x86-64 with glibc
 */
export function withHelperFile<T>(load: (path: string) => T): T {
  const path = helperPath();
  try {
    return load(path);
  } catch (cause) {
    if (cause instanceof HelperError) throw cause; // the binding itself
    const reason = cause instanceof Error ? cause.message : String(cause);
    const here = `${process.platform}-${process.arch}`;
    throw new HelperError(
      `Cannot load "${path}" on this machine (${here}): ${reason}`,
      rebuildHint(path),
      cause,
    );
  }
}

function helperPath(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const candidates = [join(here, "libp2pdma.so"), join(here, "..", "dist", "libp2pdma.so")] as const;
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined) throw new HelperError("libp2pdma.so is not built", rebuildHint(candidates[0]));
  return found;
}

function rebuildHint(path: string): string {
  const sources = join(dirname(path), "..", "c-helpers");
  return `build it here: make -C ${sources} (needs gcc, make, liburing-dev, libxxhash-dev)`;
}
