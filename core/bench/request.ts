// SPDX-License-Identifier: MIT
import type { BenchKind } from "../../ffi/index.ts";
import type { Endpoint } from "../copy/endpoint.ts";
import type { OverwriteKind } from "../copy/safety.ts";
import { usageError } from "../errors.ts";
import type { AllocatorKind } from "../p2pmem/providers.ts";

export type { BenchKind } from "../../ffi/index.ts";

/** The memory that the data go through. */
export type BenchVia = "p2p" | "ram";

/** How each point is measured. */
export interface BenchTiming {
  readonly warmupMs: number;
  /** How long is measured, or else how much. */
  readonly timeMs: number | undefined;
  readonly sizeBytes: bigint | undefined;
  readonly repeats: number;
}

/** Which memory to go through. */
export interface MemoryRequest {
  readonly vias: readonly BenchVia[];
  /** PCI addresses or controller names; all that work when empty. */
  readonly providers: readonly string[];
  readonly allocator: AllocatorKind | undefined;
}

export interface BenchRequest extends BenchTiming, MemoryRequest {
  readonly kind: BenchKind;
  /** Read from; undefined for `write`. */
  readonly source: string | undefined;
  /** Written to; undefined for `read`. */
  readonly destination: string | undefined;
  readonly chunks: readonly number[];
  readonly depths: readonly number[];
  readonly isRandom: boolean;
  readonly seed: bigint;
  /** Where the range begins on either side, in bytes. */
  readonly offset: bigint;
  /** How much of the device is used; undefined: to the end of the smaller one. */
  readonly lengthBytes: bigint | undefined;
  readonly overwrite: readonly OverwriteKind[];
}

export interface BenchHooks {
  /** Asks for leave to overwrite; must throw when there is none. */
  readonly permit: (destination: Endpoint) => void | Promise<void>;
  readonly abort: AbortSignal;
  /** Something the user should know that stops nothing. */
  readonly warn: (text: string) => void;
  /** One measurement of many begins: so many are done, of so many. */
  readonly onStep?: (done: number, all: number, what: string) => void;
}

const CHUNK_UNIT_BYTES = 4096;
const MOST_CHUNK_BYTES = 1 << 30;
const MOST_DEPTH = 4096;
const MOST_REPEATS = 1000;

/** What can be said without looking at the machine. @throws P2pdmaError USAGE */
export function checkShape({ chunks, depths }: Pick<BenchRequest, "chunks" | "depths">): void {
  for (const chunk of chunks) {
    if (chunk < CHUNK_UNIT_BYTES || chunk % CHUNK_UNIT_BYTES !== 0 || chunk > MOST_CHUNK_BYTES) {
      throw usageError(`--chunk ${chunk} must be a multiple of ${CHUNK_UNIT_BYTES} up to 1 GiB`);
    }
  }
  for (const depth of depths) {
    if (depth < 1 || depth > MOST_DEPTH) throw usageError(`--depth ${depth} must be 1 to ${MOST_DEPTH}`);
  }
}

/** @throws P2pdmaError USAGE */
export function checkTiming({ timeMs, sizeBytes, repeats }: BenchTiming): void {
  if (timeMs !== undefined && sizeBytes !== undefined)
    throw usageError("--time and --size exclude each other");
  if (sizeBytes === 0n) throw usageError("Cannot measure 0 bytes");
  if (repeats < 1 || repeats > MOST_REPEATS) throw usageError(`--repeat must be 1 to ${MOST_REPEATS}`);
}
