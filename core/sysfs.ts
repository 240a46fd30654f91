// SPDX-License-Identifier: MIT
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { P2pdmaError } from "./errors.ts";
import { ExitCode } from "./exit-codes.ts";

/**
 * What the kernel shows in files (sysfs, procfs, /boot), read below one root.
 * Missing and unreadable files answer undefined: sysfs changes while it is
 * read, and devices vanish.
 */
export abstract class SystemView {
  /** Whole content; or its beginning, at least `enough` bytes of it: some files are slow to read, as config space is. */
  abstract bytes(path: string, enough?: number): Uint8Array | undefined;
  /** Sorted names in a directory; empty when there is none. */
  abstract list(path: string): string[];
  /** Where a path leads when all links are followed, below the same root. */
  abstract resolve(path: string): string | undefined;

  exists(path: string): boolean {
    return this.resolve(path) !== undefined;
  }

  /**
   * Content as text, without trailing white space. Control characters are spelled out: drives call themselves what
   * they like, captures come from strangers, and terminals obey.
   */
  text(path: string): string | undefined {
    const bytes = this.bytes(path);
    return bytes && spellControls(Buffer.from(bytes).toString("utf8").trimEnd());
  }

  /** Content as a non-negative integer of at most 64 bits, decimal or 0x hexadecimal. */
  integer(path: string): bigint | undefined {
    const text = this.text(path)?.trim();
    return text !== undefined && /^(0x[0-9a-f]{1,16}|\d{1,20})$/i.test(text) ? BigInt(text) : undefined;
  }
}

/** The files of this machine, or of a saved tree under another root. */
export class SystemFiles extends SystemView {
  constructor(readonly root: string = "/") {
    super();
  }

  override bytes(path: string, enough?: number): Uint8Array | undefined {
    try {
      const file = join(this.root, path);
      return enough === undefined ? readFileSync(file) : readStart(file, enough);
    } catch (error) {
      failIfForbidden(error);
      return undefined;
    }
  }

  override list(path: string): string[] {
    try {
      return readdirSync(join(this.root, path)).sort();
    } catch (error) {
      failIfForbidden(error);
      return [];
    }
  }

  override resolve(path: string): string | undefined {
    try {
      const real = realpathSync(join(this.root, path));
      const root = realpathSync(this.root);
      return root === "/" ? real : real.slice(root.length) || "/";
    } catch (error) {
      failIfForbidden(error);
      return undefined;
    }
  }

  override exists(path: string): boolean {
    return existsSync(join(this.root, path));
  }
}

/** `\x1b` for ESC; tabs and line ends stay. */
function spellControls(text: string): string {
  return text.replace(/[^\P{Cc}\t\n]/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

function readStart(file: string, lengthBytes: number): Uint8Array {
  const fd = openSync(file, "r");
  try {
    const start = Buffer.alloc(lengthBytes);
    return start.subarray(0, readSync(fd, start, 0, lengthBytes, 0));
  } finally {
    closeSync(fd);
  }
}

/** A machine that this process may not look at is no machine without devices. */
function failIfForbidden(error: unknown): void {
  if (!(error instanceof Error) || error.name !== "NotCapable") return;
  throw new P2pdmaError(
    "NO_PERMISSION",
    ExitCode.failed,
    `Deno does not let this program look at the machine: ${error.message}`,
    {
      hint: "deno run --allow-all: it opens nothing in /sys, /proc and /dev to less than that",
      cause: error,
    },
  );
}
