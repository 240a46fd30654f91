// SPDX-License-Identifier: MIT
import { closeSync, constants, openSync, readSync } from "node:fs";
import { SyscallError } from "./errors.ts";
import { close, open } from "./files.ts";
import { bufferAddress, helperCall, helperCallAsync, libcCall } from "./load.ts";
import { addressOf, Mapping, type MemoryRange, PAGE_BYTES, rangeAddress } from "./memory.ts";

/** What a word of memory is made from; see enum p2p_pattern. */
export type PatternKind = "constant" | "walking" | "address" | "random";

export interface MemoryPattern {
  readonly kind: PatternKind;
  /** The word itself (constant), the turn of the bit (walking), an addend (address), the seed (random). */
  readonly seed: bigint;
  /** Write the complement. */
  readonly invert?: boolean;
  /** What the pattern takes for the address of the range's first byte, a multiple of 8. Default 0. */
  readonly base?: bigint;
}

/** A stretch of memory with words that did not read back as written. */
export interface BadRange {
  /** From the start of the range that was verified. */
  readonly offsetBytes: bigint;
  /** Up to the end of the last bad word. */
  readonly lengthBytes: bigint;
  readonly badWords: bigint;
  /** The first bad word as it should be, and as it was read. */
  readonly expected: bigint;
  readonly got: bigint;
  /** Every bit that was wrong in any of the words. */
  readonly badBits: bigint;
}

export interface MemoryFindings {
  /** At most 256; see `badRanges` for how many there are. */
  readonly ranges: readonly BadRange[];
  readonly badRanges: bigint;
  readonly badWords: bigint;
  /** Bad words that read as all ones, as a device that is gone answers. */
  readonly allOnes: bigint;
}

/** A pass over memory on a worker thread. */
export interface MemoryPass {
  /** Resolves when the pass is over; rejects with SyscallError ECANCELED when it was cancelled. */
  readonly done: Promise<void>;
  bytesDone(): bigint;
  /** Complete when the pass is over, cancelled or not. */
  findings(): MemoryFindings;
  cancel(): void;
}

const PROT_READ = 0x1;
const MAP_SHARED = 0x01;
const PFN_MASK = (1n << 55n) - 1n;
const PAGE_PRESENT = 1n << 63n;
const JOB_BYTES = 72;
const BAD_BYTES = 48;
const BAD_CAPACITY = 256;
const FLAG_INVERT = 1;
const KINDS: readonly PatternKind[] = ["constant", "walking", "address", "random"];

/** Bad words with less than a page of good ones between them are reported as one range. */
const MERGE_BYTES = 4096;

/** Index of each 64-bit field of struct p2p_memory_status. */
const STATUS = { bytesDone: 0, badWords: 1, allOnes: 2, badRanges: 3, badLogged: 4, cancel: 5 } as const;
const STATUS_FIELDS = 6;

/** Maps the start of a BAR for reading. @throws SyscallError */
export function mapRegisters(path: string, lengthBytes: number): Mapping {
  const file = open(path, constants.O_RDONLY | constants.O_SYNC);
  try {
    const address = libcCall("mmap", path, 0, lengthBytes, PROT_READ, MAP_SHARED, file.fd, 0);
    return new Mapping(address, lengthBytes, path);
  } finally {
    close(file);
  }
}

/** Reads 32-bit registers at these byte offsets, one access each, and nothing else. */
export function readRegisters(mapping: Mapping, offsets: readonly number[]): number[] {
  const last = Math.max(...offsets) + 4;
  if (last > mapping.lengthBytes) throw new RangeError(`register ends at ${last} of ${mapping.lengthBytes}`);
  const wanted = Buffer.from(Uint32Array.from(offsets).buffer);
  const values = Buffer.alloc(wanted.length);
  helperCall("p2p_register_read", mapping.label, addressOf(mapping), wanted, values, offsets.length);
  return offsets.map((_, index) => values.readUInt32LE(index * 4));
}

/** Page frame behind an address of any process; undefined when it is hidden or not there. Needs CAP_SYS_ADMIN. */
export function frameOfProcess(pid: number, address: bigint): bigint | undefined {
  const entry = Buffer.alloc(8);
  let fd: number | undefined;
  try {
    fd = openSync(`/proc/${pid}/pagemap`, "r");
    readSync(fd, entry, 0, 8, (address / BigInt(PAGE_BYTES)) * 8n);
  } catch {
    return undefined; // the process has ended, or is not ours to look at
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  const value = entry.readBigUInt64LE();
  return value & PAGE_PRESENT && value & PFN_MASK ? value & PFN_MASK : undefined;
}

/** Starts writing a pattern to all of a range, by CPU, 8 bytes at a time. */
export function startFill(range: MemoryRange, pattern: MemoryPattern): MemoryPass {
  return startPass("p2p_memory_fill", range, pattern);
}

/** Starts reading a range back and comparing it with a pattern. */
export function startVerify(range: MemoryRange, pattern: MemoryPattern): MemoryPass {
  return startPass("p2p_memory_verify", range, pattern);
}

/** Reads device memory into an ordinary Buffer, 8 bytes at a time. Offset and length are multiples of 8. */
export async function readMemory(range: MemoryRange): Promise<Buffer> {
  const buffer = Buffer.alloc(range.lengthBytes);
  await copyMemory(range, buffer, rangeAddress(range));
  return buffer;
}

/** Writes an ordinary Buffer to device memory, 8 bytes at a time; the range is as long as the Buffer. */
export async function writeMemory(range: MemoryRange, data: Buffer): Promise<void> {
  if (data.length !== range.lengthBytes) throw new RangeError("data and range differ in length");
  const aligned = Buffer.alloc(data.length); // a slice may begin at any byte
  data.copy(aligned);
  await copyMemory(range, rangeAddress(range), aligned);
}

async function copyMemory(range: MemoryRange, to: number | Buffer, from: number | Buffer): Promise<void> {
  const result = await helperCallAsync("p2p_memory_copy", range, to, from, range.lengthBytes);
  if (result < 0) throw new SyscallError("p2p_memory_copy", -result, range.mapping.label);
}

function startPass(
  name: "p2p_memory_fill" | "p2p_memory_verify",
  range: MemoryRange,
  pattern: MemoryPattern,
): MemoryPass {
  const status = Buffer.alloc(STATUS_FIELDS * 8);
  const bad = Buffer.alloc(BAD_CAPACITY * BAD_BYTES);
  const job = packJob(range, pattern, status, bad);
  const field = (index: number) => status.readBigUInt64LE(index * 8);
  const run = async () => {
    const result = await helperCallAsync(name, { range, status, bad }, job);
    if (result < 0) throw new SyscallError(name, -result, range.mapping.label);
  };
  return {
    done: run(),
    bytesDone: () => field(STATUS.bytesDone),
    findings: () => ({
      ranges: unpackRanges(bad, Number(field(STATUS.badLogged))),
      badRanges: field(STATUS.badRanges),
      badWords: field(STATUS.badWords),
      allOnes: field(STATUS.allOnes),
    }),
    cancel: () => void status.writeBigUInt64LE(1n, STATUS.cancel * 8),
  };
}

function packJob(range: MemoryRange, pattern: MemoryPattern, status: Buffer, bad: Buffer): Buffer {
  const out = Buffer.alloc(JOB_BYTES);
  out.writeBigUInt64LE(BigInt(rangeAddress(range)), 0);
  out.writeBigUInt64LE(BigInt(range.lengthBytes), 8);
  out.writeBigUInt64LE(pattern.base ?? 0n, 16);
  out.writeBigUInt64LE(BigInt.asUintN(64, pattern.seed), 24);
  out.writeUInt32LE(KINDS.indexOf(pattern.kind), 32);
  out.writeUInt32LE(pattern.invert ? FLAG_INVERT : 0, 36);
  out.writeBigUInt64LE(BigInt(MERGE_BYTES), 40);
  out.writeBigUInt64LE(BigInt(bufferAddress(bad)), 48);
  out.writeBigUInt64LE(BigInt(BAD_CAPACITY), 56);
  out.writeBigUInt64LE(BigInt(bufferAddress(status)), 64);
  return out;
}

function unpackRanges(log: Buffer, count: number): BadRange[] {
  return Array.from({ length: count }, (_, index) => {
    const field = (number: number) => log.readBigUInt64LE(index * BAD_BYTES + number * 8);
    return {
      offsetBytes: field(0),
      lengthBytes: field(1),
      badWords: field(2),
      expected: field(3),
      got: field(4),
      badBits: field(5),
    };
  });
}
