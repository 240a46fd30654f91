// SPDX-License-Identifier: MIT
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { usageError } from "../errors.ts";

/** More than any configuration has: what is larger is something else. */
const MOST_BYTES = 16 << 20;

/** Compressions by the bytes they begin with, and the program that undoes those that Node can't. */
const compressions: readonly { readonly magic: string; readonly tool?: string }[] = [
  { magic: "1f8b" },
  { magic: "fd377a585a00", tool: "xz" },
  { magic: "28b52ffd", tool: "zstd" },
];

/**
 * The text of a configuration file, which may be compressed: /proc/config.gz, or what distributions have
 * beside their source packages. A pipe will do.
 * @throws P2pdmaError USAGE when it can't be read
 */
export function readConfigFile(path: string): string {
  const bytes = readSome(path);
  const found = compressions.find(({ magic }) => bytes.subarray(0, 6).toString("hex").startsWith(magic));
  return (found ? unpack(bytes, found.tool, path) : bytes).toString("utf8");
}

function readSome(path: string): Buffer {
  const parts: Buffer[] = [];
  let total = 0;
  try {
    const descriptor = openSync(path, "r");
    try {
      for (;;) {
        const part = Buffer.allocUnsafe(1 << 20);
        const length = readSync(descriptor, part);
        if (length === 0) return Buffer.concat(parts);
        parts.push(part.subarray(0, length));
        total += length;
        if (total > MOST_BYTES) throw usageError(`"${path}" is no kernel configuration: it is too large`);
      }
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw code === "USAGE" ? cause : usageError(`Cannot read "${path}": ${code}`);
  }
}

function unpack(bytes: Buffer, tool: string | undefined, path: string): Buffer {
  if (tool !== undefined) return unpackBy(tool, bytes, path);
  try {
    return gunzipSync(bytes, { maxOutputLength: MOST_BYTES });
  } catch (cause) {
    throw usageError(`Cannot unpack "${path}": ${(cause as Error).message}`);
  }
}

function unpackBy(tool: string, input: Buffer, path: string): Buffer {
  const { status, stdout, stderr, error } = spawnSync(tool, ["-dc"], { input, maxBuffer: MOST_BYTES });
  if (status === 0) return stdout;
  const missing = (error as NodeJS.ErrnoException | undefined)?.code === "ENOENT";
  const reason = missing ? `there is no ${tool} here` : stderr.toString().trim() || String(error);
  throw usageError(`Cannot unpack "${path}": ${reason}`);
}
