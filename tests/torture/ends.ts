// SPDX-License-Identifier: MIT
// The two ends of a copy under test: prepared, read back, and looked at around their edges.
import { closeSync, constants, fsyncSync, openSync, readSync, writeSync } from "node:fs";
import { contentOf } from "./content.ts";

/** A part of a device or of a file. */
export interface Region {
  readonly path: string;
  readonly offset: number;
}

/** Bytes on either side of what a copy may write, which must stay as they were. */
const GUARD = 4096;

export class CopyEnds {
  readonly content: Buffer;
  private readonly before: Buffer;

  constructor(
    seed: number,
    readonly source: Region,
    readonly destination: Region,
    readonly lengthBytes: number,
  ) {
    this.content = contentOf(seed, lengthBytes);
    this.before = contentOf(seed + 1_000_000, lengthBytes + this.guard + GUARD);
  }

  /** Nothing lies before the start of a device. */
  private get guard(): number {
    return Math.min(GUARD, this.destination.offset);
  }

  /** Makes source and destination differ everywhere. */
  prepare(): void {
    write(this.source.path, this.source.offset, this.content);
    write(this.destination.path, this.destination.offset - this.guard, this.before);
  }

  written(): Buffer {
    return read(this.destination.path, this.destination.offset, this.lengthBytes);
  }

  /** What is wrong with the destination after a copy that ended well; undefined when nothing is. */
  fault(): string | undefined {
    const whole = read(this.destination.path, this.destination.offset - this.guard, this.before.length);
    const body = whole.subarray(this.guard, this.guard + this.lengthBytes);
    const differs = firstDifference(body, this.content);
    if (differs !== undefined) return `the destination differs from the source at ${differs}`;
    const end = this.guard + this.lengthBytes;
    const isHeadKept = whole.subarray(0, this.guard).equals(this.before.subarray(0, this.guard));
    const isTailKept = whole.subarray(end).equals(this.before.subarray(end));
    return isHeadKept && isTailKept ? undefined : "bytes around the copy were overwritten";
  }
}

/** @returns the offset of the first byte that differs */
export function firstDifference(a: Buffer, b: Buffer): number | undefined {
  if (a.equals(b)) return undefined;
  let [from, to] = [0, Math.min(a.length, b.length)];
  while (to - from > 1) {
    const middle = (from + to) >> 1;
    if (a.subarray(from, middle).equals(b.subarray(from, middle))) from = middle;
    else to = middle;
  }
  return from;
}

function write(path: string, offset: number, data: Buffer): void {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT);
  try {
    writeSync(fd, data, 0, data.length, offset);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

export function read(path: string, offset: number, lengthBytes: number): Buffer {
  const buffer = Buffer.alloc(lengthBytes);
  const fd = openSync(path, "r");
  try {
    readSync(fd, buffer, 0, lengthBytes, offset);
  } finally {
    closeSync(fd);
  }
  return buffer;
}
