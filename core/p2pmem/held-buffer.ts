// SPDX-License-Identifier: MIT
import { type MemoryPattern, type Native, PAGE_BYTES } from "../../ffi/index.ts";
import { noPeerToPeer, usageError } from "../errors.ts";
import type { SystemView } from "../sysfs.ts";
import { formatBytes } from "../units.ts";
import { type Comparison, compareBytes, type ReadableBytes } from "./compare-bytes.ts";
import { type PlacedRange, placesOf, requireProvider, takeMemory } from "./memtest-memory.ts";
import { followPass, interrupted, type PassWatch } from "./memtest-pass.ts";
import { parsePattern } from "./memtest-pattern.ts";
import type { Allocator, AllocatorKind, Provider } from "./providers.ts";
import { judgeResidency, type Residency } from "./residency.ts";
import { cutSlots, type StagingBuffer } from "./staging.ts";

export interface HeldBufferRequest {
  /** For messages and lists. */
  readonly name: string;
  /** PCI address or controller name. */
  readonly provider: string;
  /** Rounded up to pages. */
  readonly sizeBytes: bigint;
  /** Default: what is there. */
  readonly allocator?: AllocatorKind | undefined;
}

/** A part of a buffer, in bytes from its start. */
export interface BufferPart {
  /** Default 0. */
  readonly offset?: bigint | undefined;
  /** Default: up to the end. */
  readonly length?: bigint | undefined;
}

interface Environment {
  readonly sys: SystemView;
  readonly native: Native;
}

const PART_BYTES = 64 * 1024;
const WORD_BYTES = 8;

/**
 * A piece of p2pmem that is held until it is closed, proven to lie in its provider's BAR. Between two transfers its
 * contents stay. fill, load, dump and compare access it by CPU: over PCIe, a few MiB a second on real hardware.
 * When the device is removed meanwhile, the kernel ends the process with SIGBUS.
 */
export class HeldBuffer implements ReadableBytes, Disposable {
  readonly name: string;
  readonly #native: Native;
  readonly #memory: StagingBuffer;
  #uses = 0;
  #isClosed = false;

  /** @throws P2pdmaError NO_P2PMEM when it can't be had, USAGE for 0 bytes */
  static allocate(env: Environment, request: HeldBufferRequest): HeldBuffer {
    const provider = requireProvider(env.sys, request.provider);
    const memory = takeMemory(env.native, provider, request.sizeBytes, request.allocator);
    return new HeldBuffer(request.name, env.native, memory, provider);
  }

  private constructor(
    name: string,
    native: Native,
    memory: StagingBuffer,
    /** As it was when the memory was taken. */
    readonly provider: Provider,
  ) {
    this.name = name;
    this.#native = native;
    this.#memory = memory;
  }

  /** A multiple of the page size. */
  get sizeBytes(): bigint {
    return BigInt(this.#memory.mapping.lengthBytes);
  }

  get allocator(): Allocator | undefined {
    return this.#memory.allocator;
  }

  /** Where the pages were when the memory was taken, by the kernel's word. */
  get residency(): Residency | undefined {
    return this.#memory.residency;
  }

  /** Physical ranges and their places in the BAR; undefined when the kernel hides them. */
  get places(): PlacedRange[] | undefined {
    return placesOf(this.#memory);
  }

  /** A transfer, a copy or an access by CPU is under way. */
  get isBusy(): boolean {
    return this.#uses > 0;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Writes a pattern to all of it: zeros, ones, random:SEED, or 1, 2, 4 or 8 bytes in hexadecimal.
   * @throws P2pdmaError INTERRUPTED
   */
  fill(pattern: string | MemoryPattern, watch: PassWatch = {}): Promise<void> {
    const parsed = typeof pattern === "string" ? parsePattern(pattern, "fill") : pattern;
    return this.#using(async () => {
      if (watch.abort?.aborted) throw interrupted();
      await followPass(this.#native.startFill(this.#whole(), parsed), watch);
    });
  }

  /**
   * Writes bytes from elsewhere to its start; what lies behind them stays.
   * @throws P2pdmaError USAGE when there are more than it holds, INTERRUPTED
   */
  load(bytes: ReadableBytes, watch: PassWatch = {}): Promise<void> {
    if (bytes.sizeBytes > this.sizeBytes) {
      throw usageError(
        `Cannot load ${bytes.sizeBytes} bytes into "${this.name}": it holds ${this.sizeBytes} (${formatBytes(this.sizeBytes)})`,
      );
    }
    return this.#using(async () => {
      const end = Number(bytes.sizeBytes);
      for (let at = 0; at < end; at += PART_BYTES) {
        if (watch.abort?.aborted) throw interrupted();
        await this.#write(at, await bytes.read(at, Math.min(PART_BYTES, end - at)));
        watch.onBytes?.(BigInt(Math.min(at + PART_BYTES, end)));
      }
    });
  }

  /** Its bytes, in parts of 64 KiB at most. @throws P2pdmaError USAGE when the part is not inside, INTERRUPTED */
  async *dump(part: BufferPart = {}, abort?: AbortSignal): AsyncGenerator<Buffer> {
    const { start, end } = this.#limits(part);
    for (let at = start; at < end; ) {
      if (abort?.aborted) throw interrupted();
      const bytes = await this.read(at, Math.min(PART_BYTES - (at % WORD_BYTES), end - at));
      yield bytes;
      at += bytes.length;
    }
  }

  /** Compares as many bytes as both have, from the start of both. @throws P2pdmaError INTERRUPTED */
  compare(other: ReadableBytes, watch: PassWatch = {}): Promise<Comparison> {
    return this.#using(() => compareBytes(this, other, watch));
  }

  /** Reads bytes by CPU; the device sees aligned 8-byte accesses only. */
  read(offset: number, length: number): Promise<Buffer> {
    return this.#using(async () => {
      const start = offset - (offset % WORD_BYTES);
      const stop = Math.ceil((offset + length) / WORD_BYTES) * WORD_BYTES;
      const mapping = this.#memory.mapping;
      const words = await this.#native.readMemory({ mapping, offsetBytes: start, lengthBytes: stop - start });
      return words.subarray(offset - start, offset - start + length);
    });
  }

  /**
   * Lends all of it as a staging buffer, proven anew; closing that returns it. What was in it is overwritten.
   * @param most slots; fewer when it holds fewer
   * @throws P2pdmaError NO_P2PMEM when not even `least` of them fit, NOT_RESIDENT
   */
  lend(chunkBytes: number, most: number, least = 1): StagingBuffer {
    const { mapping } = this.#memory;
    const stride = Math.ceil(chunkBytes / PAGE_BYTES) * PAGE_BYTES;
    const depth = Math.min(most, Math.floor(mapping.lengthBytes / stride));
    if (depth < least) {
      throw noPeerToPeer(
        "NO_P2PMEM",
        `buffer "${this.name}" holds ${formatBytes(this.sizeBytes)}, needed ${least} x ${formatBytes(chunkBytes)}`,
        { hint: "lower --chunk or --depth, or allocate a larger buffer" },
      );
    }
    const residency = this.#prove();
    return { ...this.#memory, slots: cutSlots(mapping, chunkBytes, depth), residency, close: this.#take() };
  }

  /** Gives the memory back, once what is under way is over. Harmless when repeated. */
  close(): void {
    this.#isClosed = true;
    if (this.#uses === 0) this.#memory.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #whole() {
    const { mapping } = this.#memory;
    return { mapping, offsetBytes: 0, lengthBytes: mapping.lengthBytes };
  }

  #limits({ offset = 0n, length }: BufferPart): { start: number; end: number } {
    const end = offset + (length ?? this.sizeBytes - offset);
    if (offset < 0n || offset > this.sizeBytes || end < offset || end > this.sizeBytes) {
      throw usageError(`"${this.name}" ends at ${this.sizeBytes} bytes, asked for ${offset} to ${end}`);
    }
    return { start: Number(offset), end: Number(end) };
  }

  /** The last word keeps what lies behind the data. */
  async #write(at: number, data: Buffer): Promise<void> {
    const excess = data.length % WORD_BYTES;
    const rest = excess > 0 ? await this.read(at + data.length, WORD_BYTES - excess) : Buffer.alloc(0);
    const words = Buffer.concat([data, rest]);
    const { mapping } = this.#memory;
    await this.#native.writeMemory({ mapping, offsetBytes: at, lengthBytes: words.length }, words);
  }

  #prove(): Residency {
    const frames = this.#native.pageFrames(this.#memory.mapping);
    const residency = judgeResidency(frames, this.provider.resources, PAGE_BYTES);
    if (!residency.checked || residency.inside) return residency;
    throw noPeerToPeer(
      "NOT_RESIDENT",
      `"${this.name}" is not inside a BAR of "${this.provider.bdf}" any more: refusing to call it p2pmem`,
    );
  }

  async #using<T>(work: () => Promise<T>): Promise<T> {
    const release = this.#take();
    try {
      return await work();
    } finally {
      release();
    }
  }

  /** Memory in use stays mapped: DMA or a worker thread may be at it. */
  #take(): () => void {
    if (this.#isClosed && this.#uses === 0) throw new TypeError(`buffer "${this.name}" is closed`);
    this.#uses++;
    let isOurs = true;
    return () => {
      if (!isOurs) return;
      isOurs = false;
      this.#uses--;
      if (this.#isClosed && this.#uses === 0) this.#memory.close();
    };
  }
}
