// SPDX-License-Identifier: MIT
import {
  type Mapping,
  type MemoryFindings,
  type MemoryPass,
  type Native,
  PAGE_BYTES,
} from "../../ffi/index.ts";
import { followPass } from "./memtest-pass.ts";
import type { Provider } from "./providers.ts";

/** A piece of memory under test, and what its patterns take for its address. */
export interface TestPiece {
  readonly mapping: Mapping;
  readonly base: bigint;
}

/** Memory that did not hold what was put there. */
export interface BadMemory {
  /** `walking-ones`, `dma`… */
  readonly test: string;
  /** What had been written there, and by whom. */
  readonly content: string;
  /** From 1 on. */
  readonly pass: number;
  readonly piece: number;
  /** From the start of the piece. */
  readonly offsetBytes: bigint;
  readonly lengthBytes: bigint;
  readonly badWords: bigint;
  readonly expected: bigint;
  readonly got: bigint;
  readonly badBits: bigint;
  /** CPU physical address, and the place in the BAR; undefined when the kernel hides it. */
  readonly place: { readonly address: bigint; readonly bar: number; readonly barOffset: bigint } | undefined;
}

export interface TestWatch {
  readonly abort?: AbortSignal | undefined;
  readonly onStep?: ((test: string, pass: number) => void) | undefined;
  /** Bytes read or written so far, out of `bytesToMove`. */
  readonly onBytes?: ((bytes: bigint) => void) | undefined;
}

/** Collects what the steps find. */
export class TestLog {
  readonly bad: BadMemory[] = [];
  badRanges = 0n;
  badWords = 0n;
  allOnes = 0n;

  constructor(
    private readonly native: Native,
    private readonly pieces: readonly TestPiece[],
    private readonly provider: Provider | undefined,
  ) {}

  /** Findings of a range that starts at `offsetBytes` of a piece. */
  add(
    where: Pick<BadMemory, "test" | "content" | "pass" | "piece">,
    offsetBytes: bigint,
    found: MemoryFindings,
  ) {
    this.badRanges += found.badRanges;
    this.badWords += found.badWords;
    this.allOnes += found.allOnes;
    for (const range of found.ranges) {
      if (this.bad.length >= MOST_RANGES) return;
      const at = offsetBytes + range.offsetBytes;
      this.bad.push({ ...where, ...range, offsetBytes: at, place: this.placeOf(where.piece, at) });
    }
  }

  private placeOf(piece: number, offsetBytes: bigint): BadMemory["place"] {
    const mapping = this.pieces[piece]?.mapping;
    const frame = mapping && this.native.pageFrames(mapping)?.[Number(offsetBytes / BigInt(PAGE_BYTES))];
    if (!frame) return undefined;
    const address = frame * BigInt(PAGE_BYTES) + (offsetBytes % BigInt(PAGE_BYTES));
    const bar = this.provider?.resources.find(({ start, end }) => address >= start && address <= end);
    return bar && { address, bar: bar.index, barOffset: address - bar.start };
  }
}

const MOST_RANGES = 256;

/** Counts bytes through all passes of a test. */
export class StepProgress {
  bytes = 0n;

  constructor(private readonly watch: TestWatch) {}

  get abort(): AbortSignal | undefined {
    return this.watch.abort;
  }

  add(bytes: bigint): void {
    this.bytes += bytes;
    this.watch.onBytes?.(this.bytes);
  }

  /** Follows one pass over a range and counts its bytes. */
  async follow(pass: MemoryPass): Promise<void> {
    const before = this.bytes;
    const onBytes = (bytes: bigint) => {
      this.bytes = before + bytes;
      this.watch.onBytes?.(this.bytes);
    };
    await followPass(pass, { abort: this.watch.abort, onBytes });
  }
}
