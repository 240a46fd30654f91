// SPDX-License-Identifier: MIT
import { accessSync, type BigIntStats, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { type Native, SyscallError } from "../../ffi/index.ts";
import { deviceNumber } from "../copy/disk.ts";
import type { Provider } from "../p2pmem/providers.ts";
import { probeAllocator } from "../p2pmem/staging.ts";

export type PathKind = "block" | "file" | "directory" | "other";

export interface PathFacts {
  readonly kind: PathKind;
  /** `259:1`: of the device itself, or of the file system it is on. */
  readonly number: string;
}

/** What only the running machine can tell; a capture has none of it. Asking changes nothing. */
export interface Here {
  readonly native: Native;
  /** Where a path leads; of a file to be made, its directory. Undefined when there is neither. */
  stat(path: string): PathFacts | undefined;
  /** undefined: there is no such file. */
  canAccess(path: string, mode: "read" | "read-write"): boolean | undefined;
  /** Direct I/O alignment of a file; 0 where it can't be, undefined where the kernel does not tell. */
  directAlignment(path: string): number | undefined;
  /** The kernel's messages, oldest first; undefined without the right to read them. */
  kernelLog(): readonly string[] | undefined;
  /** Maps one page through the character device: undefined when that works, else the errno. */
  tryCharacterDevice(provider: Provider): string | undefined;
}

export function thisMachine(native: Native): Here {
  return {
    native,
    stat: statPath,
    canAccess,
    directAlignment: (path) => directAlignment(native, path),
    kernelLog: readKernelLog,
    tryCharacterDevice: (provider) => {
      const way = provider.allocators.find(({ kind }) => kind === "chardev");
      return way ? probeAllocator(native, provider, way) : "ENOENT";
    },
  };
}

function statPath(path: string): PathFacts | undefined {
  const stat = tryStat(path);
  if (!stat) return path.startsWith("/dev/") ? undefined : statFolder(dirname(path));
  if (stat.isBlockDevice()) return { kind: "block", number: deviceNumber(stat.rdev) };
  return { kind: kindOf(stat), number: deviceNumber(stat.dev) };
}

function statFolder(path: string): PathFacts | undefined {
  const stat = tryStat(path);
  return stat?.isDirectory() ? { kind: "directory", number: deviceNumber(stat.dev) } : undefined;
}

function tryStat(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}

function kindOf(stat: Pick<BigIntStats, "isFile" | "isDirectory">): PathKind {
  if (stat.isFile()) return "file";
  return stat.isDirectory() ? "directory" : "other";
}

function canAccess(path: string, mode: "read" | "read-write"): boolean | undefined {
  try {
    accessSync(path, mode === "read" ? constants.R_OK : constants.R_OK | constants.W_OK);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? undefined : false;
  }
}

function directAlignment(native: Native, path: string): number | undefined {
  try {
    const file = native.open(path, constants.O_RDONLY);
    try {
      return native.directAlignment(file);
    } finally {
      native.close(file);
    }
  } catch (error) {
    if (error instanceof SyscallError) return undefined;
    throw error;
  }
}

/** Longer than any record, so that none is cut. */
const RECORD_BYTES = 16384;

/** One record a read; the end is EAGAIN, and EPIPE tells that older ones were overwritten meanwhile. */
function readKernelLog(): string[] | undefined {
  let fd: number;
  try {
    fd = openSync("/dev/kmsg", constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  const record = Buffer.alloc(RECORD_BYTES);
  const lines: string[] = [];
  try {
    for (;;) {
      const length = readRecord(fd, record);
      if (length === 0) return lines;
      const [first = ""] = record.toString("utf8", 0, length).split("\n");
      lines.push(first.slice(first.indexOf(";") + 1));
    }
  } catch {
    return lines.length > 0 ? lines : undefined;
  } finally {
    closeSync(fd);
  }
}

function readRecord(fd: number, record: Buffer): number {
  for (;;) {
    try {
      return readSync(fd, record);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EAGAIN") return 0;
      if (code !== "EPIPE") throw error;
    }
  }
}
