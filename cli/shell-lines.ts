// SPDX-License-Identifier: MIT
import { open } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { naming } from "../core/shell/naming.ts";

/** Where a session's lines come from. */
export interface LineSource {
  /** The next line; undefined when there are no more. */
  next(prompt: string): Promise<string | undefined>;
  /** Drops what was typed ahead. */
  forget(): void;
  /** Makes a waiting next() answer undefined. */
  close(): void;
}

/** @throws SyscallError */
export async function linesOfFile(path: string): Promise<LineSource> {
  const file = await naming("open", path, () => open(path, "r"));
  return linesOf(file.createReadStream(), path);
}

/** Lines of a pipe or file, as they come. next() throws SyscallError. */
export function linesOf(input: Readable, name: string): LineSource {
  const reader = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  const lines = reader[Symbol.asyncIterator]();
  return {
    next: async () => {
      const { value, done } = await naming("read", name, () => lines.next());
      return done ? undefined : value;
    },
    forget: () => {},
    close: () => {
      reader.close();
      input.destroy();
    },
  };
}
