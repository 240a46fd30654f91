// SPDX-License-Identifier: MIT
import { constants } from "node:fs";
import { constants as osConstants } from "node:os";
import { type Extent, type Native, type OpenFile, SyscallError } from "../../ffi/index.ts";
import { noPeerToPeer, refused } from "../errors.ts";
import type { Endpoint } from "./endpoint.ts";
import type { CopyRange } from "./range.ts";

/** Both ends of a copy, open. */
export interface Files {
  readonly src: OpenFile;
  readonly dst: OpenFile;
}

const NEW_FILE_MODE = 0o666;
/** Compared as a number: it has two names, and Node knows the other one. */
const { EOPNOTSUPP } = osConstants.errno;

/**
 * Opens the source, then the destination for writing. Nothing is written yet.
 * @param isPeerToPeer then both must really do direct I/O: a buffered transfer into p2pmem is a CPU copy.
 */
export function openBoth(
  native: Native,
  src: Endpoint,
  dst: Endpoint,
  isPeerToPeer: boolean,
  isExclusive: boolean,
): Files {
  const source = openReadable(native, src, isPeerToPeer);
  try {
    return { src: source, dst: openWritable(native, dst, isPeerToPeer, isExclusive) };
  } catch (error) {
    native.close(source);
    throw error;
  }
}

/** Takes the space that a file will need, so that a full file system shows before the first byte. */
export function reserve(
  native: Native,
  files: Files,
  dst: Endpoint,
  extents: readonly Pick<Extent, "dstOffset" | "lengthBytes">[],
): void {
  if (dst.kind !== "file") return;
  try {
    for (const { dstOffset, lengthBytes } of extents) reserveOne(native, files.dst, dstOffset, lengthBytes);
  } catch (error) {
    native.ftruncate(files.dst, dst.sizeBytes);
    throw error;
  }
}

/** Two copies into one file would make a mixture. Some file systems have no locks. */
function lock(native: Native, file: OpenFile): void {
  try {
    native.lockExclusively(file);
  } catch (error) {
    const isLocked = error instanceof SyscallError && error.code === "EAGAIN";
    if (!isLocked) return;
    native.close(file);
    throw refused("IN_USE", `Cannot write "${file.path}": another program has it locked`, { cause: error });
  }
}

/** Opens one end for writing, claimed. Nothing is written yet. */
export function openWritable(
  native: Native,
  dst: Endpoint,
  isPeerToPeer: boolean,
  isExclusive: boolean,
): OpenFile {
  const destination = openDirect(native, dst, destinationFlags(dst, isExclusive), isPeerToPeer);
  if (dst.kind === "file") lock(native, destination);
  return destination;
}

/** Opens one end for direct reading. */
export function openReadable(native: Native, end: Endpoint, isPeerToPeer: boolean): OpenFile {
  return openDirect(native, end, constants.O_RDONLY, isPeerToPeer);
}

export function closeBoth(native: Native, files: Files): void {
  native.close(files.src);
  native.close(files.dst);
}

/**
 * Cuts a file to its size and waits until the data would survive a power cut.
 * @param inPlace the copy went into an existing file, so what lies behind it stays.
 */
export async function settle(
  native: Native,
  file: OpenFile,
  dst: Endpoint,
  range: CopyRange,
  inPlace: boolean,
): Promise<void> {
  if (dst.kind === "file") {
    const end = range.dstOffset + range.lengthBytes;
    native.ftruncate(file, inPlace && dst.sizeBytes > end ? dst.sizeBytes : end);
  }
  await native.flush(file);
}

/** O_RDWR: the last block and the verification are read back. O_EXCL claims a device, and makes a file only once. */
function destinationFlags(dst: Endpoint, isExclusive: boolean): number {
  const flags = constants.O_RDWR | constants.O_NOFOLLOW;
  if (dst.kind === "block") return flags | (isExclusive ? constants.O_EXCL : 0);
  return flags | (dst.exists ? 0 : constants.O_CREAT | constants.O_EXCL);
}

function openDirect(native: Native, endpoint: Endpoint, flags: number, isPeerToPeer: boolean): OpenFile {
  try {
    const file = native.open(endpoint.path, flags | constants.O_DIRECT, NEW_FILE_MODE);
    if (isPeerToPeer && endpoint.kind === "file" && native.directAlignment(file) === 0) {
      native.close(file);
      throw noPeerToPeer(
        "NOT_COPYABLE",
        `Cannot copy peer-to-peer with "${endpoint.path}": it refuses direct I/O`,
      );
    }
    return file;
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    if (error.code === "EINVAL" && !isPeerToPeer) return openBuffered(native, endpoint, flags);
    throw error.code === "EBUSY" ? claimed(endpoint, flags, error) : error;
  }
}

/** A file system without direct I/O may have made the file before it refused. */
function openBuffered(native: Native, { path }: Endpoint, flags: number): OpenFile {
  const isNew = (flags & constants.O_CREAT) !== 0;
  return native.open(path, isNew ? flags & ~(constants.O_CREAT | constants.O_EXCL) : flags);
}

function claimed(endpoint: Endpoint, flags: number, cause: SyscallError): Error {
  if ((flags & constants.O_EXCL) === 0) {
    const what = `Cannot overwrite "${endpoint.path}": this kernel forbids writing to a device that is mounted`;
    return refused("IN_USE", what, { cause, hint: "unmount it, or boot with bdev_allow_write_mounted=1" });
  }
  return refused("IN_USE", `Cannot overwrite "${endpoint.path}": something else has it open exclusively`, {
    cause,
  });
}

function reserveOne(native: Native, file: OpenFile, offset: bigint, lengthBytes: bigint): void {
  if (lengthBytes === 0n) return;
  try {
    native.fallocate(file, offset, lengthBytes);
  } catch (error) {
    if (!(error instanceof SyscallError) || error.errno !== EOPNOTSUPP) throw error;
  }
}
