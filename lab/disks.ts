// SPDX-License-Identifier: MIT
import { randomUUID } from "node:crypto";
import { closeSync, ftruncateSync, openSync, realpathSync, type Stats, statSync, unlinkSync } from "node:fs";
import { constants as osConstants, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { labUsageError } from "./errors.ts";
import type { Drive } from "./topology.ts";

/** What QEMU opens for a drive: a user's file by name, an unnamed file by descriptor, or nothing. */
export type Backing =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "descriptor"; readonly childFd: number }
  | { readonly kind: "null"; readonly sizeBytes: number; readonly latencyNs: number };

/** Linux's O_TMPFILE, which Node does not name; x86-64 only, like the lab. */
const O_TMPFILE = 0o20200000;
const O_RDWR = 2;
const { EIO } = osConstants.errno;

/** Absolute paths of the user's disk files, checked before anything is started. */
export function checkDisks(paths: readonly string[], drives: readonly Drive[]): string[] {
  if (paths.length > drives.length) {
    throw labUsageError(
      `Cannot attach ${paths.length} disk files: this topology has ${drives.length} drives`,
    );
  }
  const checked = paths.map(checkDisk);
  const twice = checked.find((path, index) => checked.indexOf(path) !== index);
  if (twice !== undefined) throw labUsageError(`Cannot attach "${twice}" to two drives`);
  return checked;
}

function checkDisk(path: string): string {
  const stats = describe(path);
  if (!stats.isFile()) throw labUsageError(`Cannot use "${path}" as a disk: it is no regular file`);
  if (stats.size === 0 || stats.size % 512 !== 0) {
    throw labUsageError(
      `Cannot use "${path}" as a disk: its size is ${stats.size} bytes, no positive multiple of 512`,
      `truncate --size=8G "${path}" makes an empty disk`,
    );
  }
  return realpathSync(path);
}

function describe(path: string): Stats {
  try {
    return statSync(resolve(path));
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "no such file" : String(cause);
    throw labUsageError(
      `Cannot use "${path}" as a disk: ${reason}`,
      `truncate --size=8G "${path}" makes an empty disk`,
    );
  }
}

/** An empty sparse file that has no name, so that nothing is left behind whatever happens. */
export function openUnnamedFile(sizeBytes: number): number {
  const fd = openUnnamed(tmpdir());
  try {
    ftruncateSync(fd, sizeBytes);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

function openUnnamed(directory: string): number {
  try {
    return openSync(directory, O_TMPFILE | O_RDWR, 0o600);
  } catch {
    // Some file systems (older overlayfs, NFS) have no O_TMPFILE.
    const path = join(directory, `p2pdma-lab-${randomUUID()}`);
    const fd = openSync(path, "wx+", 0o600);
    unlinkSync(path);
    return fd;
  }
}

/** `-blockdev` arguments of one drive; JSON, so that any path can be written. */
export function backingArguments(drive: Drive, backing: Backing): string[] {
  const fdset =
    backing.kind === "descriptor" ? ["-add-fd", `fd=${backing.childFd},set=${backing.childFd}`] : [];
  const medium = withErrors(drive, withWriteLog(drive, mediumOf(backing)));
  return [...fdset, "-blockdev", JSON.stringify({ ...medium, "node-name": `disk-${drive.letter}` })];
}

function mediumOf(backing: Backing): object {
  if (backing.kind === "null") {
    const { sizeBytes, latencyNs } = backing;
    return { driver: "null-co", size: sizeBytes, "latency-ns": latencyNs, "read-zeroes": true };
  }
  const filename = backing.kind === "descriptor" ? `/dev/fdset/${backing.childFd}` : backing.path;
  const locking = backing.kind === "descriptor" ? "off" : "auto";
  return {
    driver: "raw",
    discard: "unmap",
    file: { driver: "file", filename, locking, discard: "unmap" },
  };
}

/** Its super block is brought up to date with every entry, so that it holds whenever QEMU is killed. */
function withWriteLog({ writeLog }: Drive, file: object): object {
  if (writeLog === undefined) return file;
  const log = { driver: "file", filename: writeLog };
  return { driver: "blklogwrites", discard: "unmap", file, log, "log-super-update-interval": 1 };
}

function withErrors({ mediumErrors = [] }: Drive, image: object): object {
  if (mediumErrors.length === 0) return image;
  const rules = mediumErrors.flatMap(({ on, sector, errno = EIO, times }) => {
    const place = sector === undefined ? {} : { sector };
    const rule = { event: "none", iotype: on, errno, once: times !== undefined, ...place };
    return Array.from({ length: times ?? 1 }, () => rule);
  });
  return { driver: "blkdebug", discard: "unmap", image, "inject-error": rules };
}
