// SPDX-License-Identifier: MIT
import { closeSync, openSync, readSync } from "node:fs";
import { bufferAddress, helperCall, libcCall } from "./load.ts";

const PROT_READ_WRITE = 0x1 | 0x2;
const MAP_SHARED = 0x01;
const MAP_PRIVATE_ANONYMOUS_POPULATE = 0x02 | 0x20 | 0x8000;
const PFN_MASK = (1n << 55n) - 1n;
const PAGE_PRESENT = 1n << 63n;

/** Page size of the platform this runs on, in bytes (x86-64 and the usual arm64). */
export const PAGE_BYTES = 4096;

/** Addresses stay in this folder: everything outside holds the opaque Mapping. */
const addresses = new WeakMap<Mapping, number>();

/** A mapped piece of memory, on a device or in RAM. Close it; closing twice is harmless. */
export class Mapping {
  #open = true;

  constructor(
    address: number,
    /** Bytes, a multiple of the page size. */
    readonly lengthBytes: number,
    /** Words for error messages: the file mapped, or "RAM". */
    readonly label: string,
  ) {
    addresses.set(this, address);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    const address = addressOf(this);
    addresses.delete(this);
    libcCall("munmap", this.label, address, this.lengthBytes);
  }
}

/** A part of a mapping, checked against its end when used. */
export interface MemoryRange {
  readonly mapping: Mapping;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** Maps `lengthBytes` of an open file or device shared, at offset 0: p2pmem allocates on every such map. */
export function mapShared(fd: number, lengthBytes: number, label: string): Mapping {
  const address = libcCall("mmap", label, 0, lengthBytes, PROT_READ_WRITE, MAP_SHARED, fd, 0);
  return new Mapping(address, lengthBytes, label);
}

/** Page-aligned RAM, populated. */
export function mapRam(lengthBytes: number): Mapping {
  const address = libcCall(
    "mmap",
    "RAM",
    0,
    lengthBytes,
    PROT_READ_WRITE,
    MAP_PRIVATE_ANONYMOUS_POPULATE,
    -1,
    0,
  );
  return new Mapping(address, lengthBytes, "RAM");
}

/** Touches every page with SIGBUS caught; throws SyscallError ENOMEM when the provider runs out. */
export function prefault(mapping: Mapping): void {
  helperCall("p2p_prefault", mapping.label, addressOf(mapping), mapping.lengthBytes, PAGE_BYTES);
}

/** Copies ordinary bytes into a mapping's start; for RAM buffers and tests. */
export function fill(mapping: Mapping, byte: number): void {
  libcCall("memset", mapping.label, addressOf(mapping), byte, mapping.lengthBytes);
}

/**
 * Physical page frame of every page of a mapping, from /proc/self/pagemap.
 * @returns undefined when the kernel hides them (needs CAP_SYS_ADMIN); 0n for a page that is not present.
 */
export function pageFrames(mapping: Mapping): bigint[] | undefined {
  const pages = mapping.lengthBytes / PAGE_BYTES;
  const entries = Buffer.alloc(pages * 8);
  const fd = openSync("/proc/self/pagemap", "r");
  try {
    readSync(fd, entries, 0, entries.length, (addressOf(mapping) / PAGE_BYTES) * 8);
  } finally {
    closeSync(fd);
  }
  const frames: bigint[] = [];
  for (let page = 0; page < pages; page++) {
    const entry = entries.readBigUInt64LE(page * 8);
    frames.push(entry & PAGE_PRESENT ? entry & PFN_MASK : 0n);
  }
  return frames.some((frame) => frame !== 0n) ? frames : undefined;
}

/** Address of a mapping's start. Only for this folder. */
export function addressOf(mapping: Mapping): number {
  const address = addresses.get(mapping);
  if (address === undefined) throw new TypeError(`mapping of "${mapping.label}" is closed`);
  return address;
}

/** Address of a range, after checking that it lies inside its mapping. Only for this folder. */
export function rangeAddress(range: MemoryRange): number {
  const end = range.offsetBytes + range.lengthBytes;
  if (range.offsetBytes < 0 || range.lengthBytes < 0 || end > range.mapping.lengthBytes) {
    throw new RangeError(`range ends at ${end} of a mapping of ${range.mapping.lengthBytes} bytes`);
  }
  return addressOf(range.mapping) + range.offsetBytes;
}

/** Ordinary RAM as a page-aligned Buffer, so that node:fs can do O_DIRECT with it. */
export function alignedBuffer(lengthBytes: number): Buffer {
  const whole = Buffer.alloc(lengthBytes + PAGE_BYTES);
  const skip = (PAGE_BYTES - (bufferAddress(whole) % PAGE_BYTES)) % PAGE_BYTES;
  return whole.subarray(skip, skip + lengthBytes);
}
