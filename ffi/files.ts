// SPDX-License-Identifier: MIT
import { type BigIntStats, constants, statSync } from "node:fs";
import { SyscallError } from "./errors.ts";
import { helperCallAsync, libcCall } from "./load.ts";
import { type MemoryRange, rangeAddress } from "./memory.ts";

/** An open file descriptor with the path it came from, for error messages. */
export interface OpenFile {
  readonly fd: number;
  readonly path: string;
}

export const O_DIRECT = constants.O_DIRECT;
const O_CLOEXEC = 0o2000000;
const AT_EMPTY_PATH = 0x1000;
const STATX_DIOALIGN = 0x2000;
const FALLOC_KEEP_SIZE = 0x1;
const FALLOC_PUNCH_HOLE = 0x2;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const MAX_OFFSET = (1n << 63n) - 1n;

/** open(2), with O_CLOEXEC; throws SyscallError. */
export function open(path: string, flags: number, mode = 0o666): OpenFile {
  const fd = retrying(() => libcCall("open", path, path, flags | O_CLOEXEC, mode));
  return { fd, path };
}

/** close(2). */
export function close(file: OpenFile): void {
  libcCall("close", file.path, file.fd);
}

/**
 * Reads until the range is full or the file ends.
 * @returns bytes read; fewer than asked only at the end of the file.
 */
export function readFully(file: OpenFile, range: MemoryRange, offset: bigint): number {
  return transferFully("pread", file, range, offset);
}

/** Writes the whole range; throws SyscallError when it can't. */
export function writeFully(file: OpenFile, range: MemoryRange, offset: bigint): void {
  const done = transferFully("pwrite", file, range, offset);
  if (done < range.lengthBytes) throw new SyscallError("pwrite", EIO, file.path);
}

/** One preadv(2) over several ranges; may be short. */
export function readVector(file: OpenFile, ranges: readonly MemoryRange[], offset: bigint): number {
  return transferVector("preadv", file, ranges, offset);
}

/** One pwritev(2) over several ranges; may be short. */
export function writeVector(file: OpenFile, ranges: readonly MemoryRange[], offset: bigint): number {
  return transferVector("pwritev", file, ranges, offset);
}

/** ioctl(2) with an ordinary buffer as its argument. */
export function ioctl(file: OpenFile, request: number, argument: Buffer): number {
  return libcCall("ioctl", file.path, file.fd, request, argument);
}

export function fsync(file: OpenFile): void {
  retrying(() => libcCall("fsync", file.path, file.fd));
}

export function fdatasync(file: OpenFile): void {
  retrying(() => libcCall("fdatasync", file.path, file.fd));
}

const LOCK_EX_NB = 2 | 4;

/** Locks a whole file for this process (flock(2)), until it is closed or the process ends; throws EAGAIN when another has it. */
export function lockExclusively(file: OpenFile): void {
  libcCall("flock", file.path, file.fd, LOCK_EX_NB);
}

/**
 * pread(2) into ordinary memory on a worker thread; may be short. Alignment is the caller's business.
 * @returns bytes read; 0 at the end of the file. Throws SyscallError.
 */
export async function readSome(file: OpenFile, buffer: Uint8Array, offset: bigint): Promise<number> {
  const result = await helperCallAsync(
    "p2p_pread",
    buffer,
    ...[file.fd, buffer, buffer.length, checkOffset(offset)],
  );
  if (result < 0) throw new SyscallError("pread", -result, file.path);
  return result;
}

/** fdatasync(2) on a worker thread: it can take seconds, and signals must still be heard. */
export async function flush(file: OpenFile): Promise<void> {
  const result = await helperCallAsync("p2p_fdatasync", file, file.fd);
  if (result < 0) throw new SyscallError("fdatasync", -result, file.path);
}

/** fstat(2). By a path, since Deno's node:fs knows only the descriptors that it opened itself. */
export function fileStatus(file: OpenFile): BigIntStats {
  return statSync(`/proc/self/fd/${file.fd}`, { bigint: true });
}

export function ftruncate(file: OpenFile, lengthBytes: bigint): void {
  retrying(() => libcCall("ftruncate", file.path, file.fd, checkOffset(lengthBytes)));
}

/** fallocate(2) of a range that counts as file content from then on (mode 0). */
export function fallocate(file: OpenFile, offset: bigint, lengthBytes: bigint): void {
  retrying(() => libcCall("fallocate", file.path, file.fd, 0, checkOffset(offset), checkOffset(lengthBytes)));
}

/**
 * Makes a range read as zeroes on a worker thread, fallocate(2) with PUNCH_HOLE and KEEP_SIZE: a hole in a file; on a
 * block device Write Zeroes, deallocating where the device can, and no data from RAM. Offset and length of a block
 * device's range are multiples of its LBA size.
 * @throws SyscallError EOPNOTSUPP where the file system or the device can't.
 */
export async function punchHole(file: OpenFile, offset: bigint, lengthBytes: bigint): Promise<void> {
  const range = [checkOffset(offset), checkOffset(lengthBytes)] as const;
  const result = await helperCallAsync(
    "p2p_fallocate",
    file,
    file.fd,
    FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE,
    ...range,
  );
  if (result < 0) throw new SyscallError("fallocate", -result, file.path);
}

/** Where data begin at or after an offset, lseek(2) with SEEK_DATA; undefined when none follow. */
export function seekData(file: OpenFile, from: bigint): bigint | undefined {
  return seek(file, from, SEEK_DATA);
}

/** Where a hole begins at or after an offset, the end of the file at the latest; undefined past that. */
export function seekHole(file: OpenFile, from: bigint): bigint | undefined {
  return seek(file, from, SEEK_HOLE);
}

function seek(file: OpenFile, from: bigint, whence: number): bigint | undefined {
  try {
    return BigInt(libcCall("lseek", file.path, file.fd, checkOffset(from), whence));
  } catch (error) {
    if (error instanceof SyscallError && error.errno === ENXIO) return undefined;
    throw error;
  }
}

/** Direct I/O alignment in bytes as statx(2) tells it; undefined before Linux 6.1, 0 where O_DIRECT can't be. */
export function directAlignment(file: OpenFile): number | undefined {
  const out = Buffer.alloc(256);
  libcCall("statx", file.path, file.fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, out);
  const answered = out.readUInt32LE(0) & STATX_DIOALIGN;
  return answered ? out.readUInt32LE(0x9c) : undefined;
}

const EINTR = 4;
const EIO = 5;
const ENXIO = 6;
const EAGAIN = 11;
const MAX_REPEATS = 1000;

/** The one place that repeats calls the kernel interrupted or had no resources for. */
function retrying<T>(call: () => T): T {
  for (let repeats = 0; ; repeats++) {
    try {
      return call();
    } catch (error) {
      const passing = error instanceof SyscallError && (error.errno === EINTR || error.errno === EAGAIN);
      if (!passing || repeats === MAX_REPEATS) throw error;
    }
  }
}

function transferFully(call: "pread" | "pwrite", file: OpenFile, range: MemoryRange, offset: bigint): number {
  const address = rangeAddress(range);
  checkOffset(offset + BigInt(range.lengthBytes));
  checkOffset(offset);
  let done = 0;
  while (done < range.lengthBytes) {
    const left = range.lengthBytes - done;
    const at = offset + BigInt(done);
    const moved = retrying(() => libcCall(call, file.path, file.fd, address + done, left, at));
    if (moved === 0) break;
    done += moved;
  }
  return done;
}

function transferVector(
  call: "preadv" | "pwritev",
  file: OpenFile,
  ranges: readonly MemoryRange[],
  offset: bigint,
): number {
  const vector = Buffer.alloc(ranges.length * 16);
  for (const [index, range] of ranges.entries()) {
    vector.writeBigUInt64LE(BigInt(rangeAddress(range)), index * 16);
    vector.writeBigUInt64LE(BigInt(range.lengthBytes), index * 16 + 8);
  }
  checkOffset(offset);
  return retrying(() => libcCall(call, file.path, file.fd, vector, ranges.length, offset));
}

function checkOffset(offset: bigint): bigint {
  if (offset < 0n || offset > MAX_OFFSET)
    throw new RangeError(`file offset ${offset} is outside 0 to 2^63-1`);
  return offset;
}
