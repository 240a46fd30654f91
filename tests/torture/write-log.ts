// SPDX-License-Identifier: MIT
// Reads what QEMU's blklogwrites took down of a drive, and rebuilds the media that a power cut may leave.
// The format is that of Linux's dm-log-writes (Documentation/admin-guide/device-mapper/log-writes.rst).
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { Random } from "../unit/random.ts";

export interface LogEntry {
  readonly kind: "write" | "flush" | "discard";
  /** The write is durable by itself, and so is what was flushed before it. */
  readonly isForced: boolean;
  readonly offset: number;
  readonly lengthBytes: number;
  /** Where a write's bytes are in the log. */
  readonly dataAt: number;
}

const MAGIC = 0x6a736677736872n;
const SUPER_BYTES = 32;
const ENTRY_BYTES = 32;
const FLAG = { flush: 1n, fua: 2n, discard: 4n, mark: 8n } as const;

/** How many entries are complete in the log of a drive that is at work, by its super block. */
export function countEntries(path: string): number {
  return withFile(path, (read, sizeBytes) => superBlock(read, sizeBytes).entries);
}

/** All complete entries: what QEMU was killed over is not among them. */
export function readLog(path: string): LogEntry[] {
  return withFile(path, (read, sizeBytes) => {
    const { entries, sectorBytes } = superBlock(read, sizeBytes);
    const log: LogEntry[] = [];
    for (let at = sectorBytes; log.length < entries; ) {
      const entry = parseEntry(read(at, ENTRY_BYTES), sectorBytes, at + sectorBytes);
      at += sectorBytes + (entry.kind === "write" ? entry.lengthBytes : 0);
      log.push(entry);
    }
    return log;
  });
}

type Read = (at: number, lengthBytes: number) => Buffer;

function withFile<T>(path: string, action: (read: Read, sizeBytes: number) => T): T {
  const fd = openSync(path, "r");
  try {
    return action((at, lengthBytes) => {
      const buffer = Buffer.alloc(lengthBytes);
      const got = readSync(fd, buffer, 0, lengthBytes, at);
      if (got !== lengthBytes) throw new RangeError(`the write log ends at ${at + got}`);
      return buffer;
    }, fstatSync(fd).size);
  } finally {
    closeSync(fd);
  }
}

/** It is written with the first entry. */
function superBlock(read: Read, sizeBytes: number): { entries: number; sectorBytes: number } {
  if (sizeBytes < SUPER_BYTES) return { entries: 0, sectorBytes: 0 };
  const block = read(0, SUPER_BYTES);
  if (block.readBigUInt64LE(0) !== MAGIC) throw new RangeError("no write log: its magic number is missing");
  return { entries: Number(block.readBigUInt64LE(16)), sectorBytes: block.readUInt32LE(24) };
}

function parseEntry(raw: Buffer, sectorBytes: number, dataAt: number): LogEntry {
  const flags = raw.readBigUInt64LE(16);
  if (flags & FLAG.mark) throw new RangeError("QEMU writes no marks");
  const lengthBytes = Number(raw.readBigUInt64LE(8)) * sectorBytes;
  const isWrite = lengthBytes > 0 && !(flags & FLAG.discard);
  if (isWrite && flags & FLAG.flush) throw new RangeError("a write that flushes first is not expected here");
  return {
    kind: flags & FLAG.discard ? "discard" : isWrite ? "write" : "flush",
    isForced: (flags & FLAG.fua) !== 0n,
    offset: Number(raw.readBigUInt64LE(0)) * sectorBytes,
    lengthBytes,
    dataAt,
  };
}

/** The medium as a run of entries leaves it, on top of what was there. */
export class Medium {
  private readonly log: number;
  constructor(
    logPath: string,
    readonly bytes: Buffer,
  ) {
    this.log = openSync(logPath, "r");
  }

  apply(entry: LogEntry): void {
    const { kind, offset, lengthBytes, dataAt } = entry;
    if (kind === "discard") this.bytes.fill(0, offset, offset + lengthBytes);
    if (kind === "write") readSync(this.log, this.bytes, offset, lengthBytes, dataAt);
  }

  close(): void {
    closeSync(this.log);
  }
}

/** Index behind the last flush among the first `count` entries: what came before it is durable. */
export function durableCount(log: readonly LogEntry[], count: number): number {
  return log.slice(0, count).findLastIndex(({ kind }) => kind === "flush") + 1;
}

/**
 * What a power cut after `count` entries may leave: all that was flushed or forced, and of the rest
 * whatever the drive's cache happened to have written down, by 512 bytes.
 */
export function afterPowerCut(log: readonly LogEntry[], count: number, random: Random): LogEntry[] {
  const durable = durableCount(log, count);
  const tail = log.slice(durable, count).flatMap((entry) => {
    if (entry.isForced || entry.kind !== "write") return [entry];
    return entry.lengthBytes > 0 ? survivors(entry, random) : [];
  });
  return [...log.slice(0, durable), ...tail];
}

const ATOMIC_BYTES = 512;

/** All, nothing, or a torn part: each is as likely. */
function survivors(entry: LogEntry, random: Random): LogEntry[] {
  const fate = random(3);
  if (fate === 0) return [];
  if (fate === 1) return [entry];
  const units = entry.lengthBytes / ATOMIC_BYTES;
  const from = random(units) * ATOMIC_BYTES;
  const lengthBytes = Math.min((1 + random(units)) * ATOMIC_BYTES, entry.lengthBytes - from);
  return [{ ...entry, offset: entry.offset + from, lengthBytes, dataAt: entry.dataAt + from }];
}
