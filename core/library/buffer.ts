// SPDX-License-Identifier: MIT
import { HeldBuffer } from "../p2pmem/held-buffer.ts";
import { bytes, type Checks, checkOptions, oneOf, signal, text } from "./check.ts";
import { here } from "./environment.ts";

/** How to watch and end work on memory. */
export interface MemoryWatch {
  /** Ends it; it rejects with INTERRUPTED. */
  readonly signal?: AbortSignal | undefined;
  /** Told a few times a second how many bytes are done. */
  readonly onBytes?: ((bytes: bigint) => void) | undefined;
}

/** A part of a buffer, in bytes from its start. */
export interface BufferPart {
  /** Default 0. */
  readonly offset?: bigint | undefined;
  /** Default: up to the end. */
  readonly length?: bigint | undefined;
}

export interface BufferComparison {
  /** As many as both have. */
  readonly comparedBytes: bigint;
  readonly differingBytes: bigint;
  /** From the start of both; undefined when none differ. */
  readonly firstDifference: bigint | undefined;
}

/**
 * p2pmem that is held until it is closed, proven to lie in its provider's BAR. Drives move data to and from it by
 * their own DMA, see Drive. Its methods access it by the CPU, over PCIe: slow on real hardware, a few MiB a second.
 */
export interface P2pmemBuffer extends Disposable {
  /** PCI address of whose memory it is. */
  readonly provider: string;
  /** A multiple of the page size, 4096. */
  readonly sizeBytes: bigint;
  /**
   * Physical ranges by the kernel's own word, each with its place in the BAR; `end` is exclusive. undefined without
   * CAP_SYS_ADMIN, which hides them.
   */
  readonly places: readonly BufferPlace[] | undefined;
  readonly isClosed: boolean;
  /** Writes a pattern to all of it: zeros, ones, random:SEED, or 1, 2, 4 or 8 bytes in hexadecimal. */
  fill(pattern: string, watch?: MemoryWatch): Promise<void>;
  /** Writes bytes to its start; what lies behind them stays. */
  load(data: Uint8Array, watch?: MemoryWatch): Promise<void>;
  /** Copies bytes out of it. */
  read(offset: number, length: number): Promise<Buffer>;
  /** Copies a part of it out, in pieces of 64 KiB at most. */
  dump(part?: BufferPart, signal?: AbortSignal): AsyncGenerator<Buffer>;
  /** Compares from the start of both to the end of the shorter. */
  compare(other: P2pmemBuffer | Uint8Array, watch?: MemoryWatch): Promise<BufferComparison>;
  /** Gives the memory back, once what is under way is over. Harmless when repeated. */
  close(): void;
}

export interface BufferPlace {
  readonly start: bigint;
  readonly end: bigint;
  readonly bar: number;
  readonly barOffset: bigint;
}

export interface AllocateOptions {
  /** How to get at the memory. Default: what is there. */
  readonly allocator?: "sysfs" | "chardev" | undefined;
}

const checks: Checks<AllocateOptions> = { allocator: oneOf("sysfs", "chardev") };
const watchChecks: Checks<MemoryWatch> = {
  signal,
  onBytes: (value) => (typeof value === "function" ? undefined : "a function"),
};

/**
 * Takes p2pmem: `using buffer = allocate("nvme1", 1n << 20n)`.
 * @param provider PCI address or controller name
 * @param sizeBytes 1 and more, rounded up to pages
 * @throws P2pdmaError NO_P2PMEM (exit code 3) when it can't be had, NOT_RESIDENT when it is not where it should be
 */
export function allocate(provider: string, sizeBytes: bigint, options: AllocateOptions = {}): P2pmemBuffer {
  checkOptions({ provider, sizeBytes }, { provider: text, sizeBytes: bytes(1n) });
  checkOptions(options, checks);
  const { allocator } = options;
  const name = `p2pmem of ${provider}`;
  return new DeviceBuffer(HeldBuffer.allocate(here, { name, provider, sizeBytes, allocator }));
}

/** The memory behind what allocate() answered; undefined for anything else. */
export function heldIn(buffer: unknown): HeldBuffer | undefined {
  return buffer instanceof DeviceBuffer ? buffer.held : undefined;
}

class DeviceBuffer implements P2pmemBuffer {
  readonly provider: string;

  constructor(readonly held: HeldBuffer) {
    this.provider = held.provider.bdf;
  }

  get sizeBytes(): bigint {
    return this.held.sizeBytes;
  }

  get places(): readonly BufferPlace[] | undefined {
    return this.held.places;
  }

  get isClosed(): boolean {
    return this.held.isClosed;
  }

  async fill(pattern: string, watch: MemoryWatch = {}): Promise<void> {
    return this.held.fill(pattern, passWatch(watch));
  }

  async load(data: Uint8Array, watch: MemoryWatch = {}): Promise<void> {
    return this.held.load(readable(data), passWatch(watch));
  }

  read(offset: number, length: number): Promise<Buffer> {
    return this.held.read(offset, length);
  }

  dump(part?: BufferPart, signal?: AbortSignal): AsyncGenerator<Buffer> {
    return this.held.dump(part, signal);
  }

  async compare(other: P2pmemBuffer | Uint8Array, watch: MemoryWatch = {}): Promise<BufferComparison> {
    return this.held.compare(heldIn(other) ?? readable(other as Uint8Array), passWatch(watch));
  }

  close(): void {
    this.held.close();
  }

  [Symbol.dispose](): void {
    this.held.close();
  }
}

export function passWatch(watch: MemoryWatch) {
  checkOptions(watch, watchChecks);
  return { abort: watch.signal, onBytes: watch.onBytes };
}

function readable(data: Uint8Array) {
  if (!(data instanceof Uint8Array)) throw new TypeError("The bytes must be a Uint8Array or a P2pmemBuffer");
  const all = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const read = async (offset: number, length: number) => all.subarray(offset, offset + length);
  return { sizeBytes: BigInt(all.length), read };
}
