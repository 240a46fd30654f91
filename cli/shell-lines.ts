// SPDX-License-Identifier: MIT
import { open } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { SyscallError } from "../ffi/index.ts";

/** Where a session's lines come from. */
export interface LineSource {
  /** The next line; undefined when there are no more. */
  next(prompt: string): Promise<string | undefined>;
  /** Makes a waiting next() answer undefined. */
  close(): void;
}

/** @throws SyscallError */
export async function linesOfFile(path: string): Promise<LineSource> {
  try {
    const file = await open(path, "r");
    return linesOf(file.createReadStream());
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    throw errno === undefined ? error : new SyscallError("open", -errno, path);
  }
}

/** Lines of a pipe or file, as they come. */
export function linesOf(input: Readable): LineSource {
  const reader = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  const lines = reader[Symbol.asyncIterator]();
  return {
    next: async () => {
      const { value, done } = await lines.next();
      return done ? undefined : value;
    },
    close: () => {
      reader.close();
      input.destroy();
    },
  };
}
