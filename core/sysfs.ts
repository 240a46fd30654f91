// SPDX-License-Identifier: MIT
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";

/**
 * Reads below one root directory, so that a saved tree can stand in for a
 * machine. Missing and unreadable files answer undefined: sysfs changes while
 * it is read, and devices vanish.
 */
export class SystemFiles {
  constructor(readonly root: string = "/") {}

  /** Content without trailing white space. */
  text(path: string): string | undefined {
    try {
      return readFileSync(join(this.root, path), "utf8").trimEnd();
    } catch {
      return undefined;
    }
  }

  /** Content as a non-negative integer, decimal or 0x hexadecimal. */
  integer(path: string): bigint | undefined {
    const text = this.text(path)?.trim();
    return text !== undefined && /^(0x[0-9a-f]+|\d+)$/i.test(text) ? BigInt(text) : undefined;
  }

  /** Sorted names in a directory; empty when there is none. */
  list(path: string): string[] {
    try {
      return readdirSync(join(this.root, path)).sort();
    } catch {
      return [];
    }
  }

  /** Where a link leads, as a path below the root. */
  resolve(path: string): string | undefined {
    try {
      const real = realpathSync(join(this.root, path));
      const root = realpathSync(this.root);
      return root === "/" ? real : real.slice(root.length) || "/";
    } catch {
      return undefined;
    }
  }

  exists(path: string): boolean {
    return existsSync(join(this.root, path));
  }
}
