// SPDX-License-Identifier: MIT
import { type Native, PAGE_BYTES, SyscallError } from "../../ffi/index.ts";
import { noPeerToPeer, P2pdmaError, usageError } from "../errors.ts";
import type { SystemView } from "../sysfs.ts";
import {
  type AllocatorKind,
  findProvider,
  listProviders,
  type Provider,
  readAvailable,
} from "./providers.ts";
import { type StagingBuffer, stageInP2pmem } from "./staging.ts";

/** Pieces are taken one by one up to this size, so that page tables of huge CMBs are looked at in parts. */
const LARGEST_PIECE_BYTES = 256n << 20n;

/** Where an allocation lies: each range with its place in the BAR. Undefined without CAP_SYS_ADMIN. */
export interface PlacedRange {
  /** CPU physical addresses; `end` is exclusive. */
  readonly start: bigint;
  readonly end: bigint;
  readonly bar: number;
  readonly barOffset: bigint;
}

/** @throws P2pdmaError NO_P2PMEM when the device is no provider. */
export function requireProvider(sys: SystemView, wanted: string): Provider {
  const found = findProvider(listProviders(sys), wanted);
  if (found) return found;
  throw noPeerToPeer("NO_P2PMEM", `"${wanted}" offers no p2pmem`, { hint: "p2pdma list shows who does" });
}

/**
 * Takes p2pmem in one piece, proven to lie in the provider's BAR.
 * @param sizeBytes rounded up to pages.
 * @throws P2pdmaError USAGE for a size of 0 or one that no mapping can have, NO_P2PMEM when it can't be had.
 */
export function takeMemory(
  native: Native,
  provider: Provider,
  sizeBytes: bigint,
  kind: AllocatorKind | undefined,
): StagingBuffer {
  if (sizeBytes === 0n) throw usageError("Cannot allocate 0 bytes of p2pmem");
  if (sizeBytes > provider.sizeBytes) {
    throw noPeerToPeer(
      "NO_P2PMEM",
      `Cannot allocate ${sizeBytes} bytes of p2pmem of "${provider.bdf}": it has ${provider.sizeBytes}`,
    );
  }
  try {
    return stageInP2pmem(native, provider, Number(sizeBytes), 1, kind);
  } catch (error) {
    if (!isFull(error)) throw error;
    throw noPeerToPeer("NO_P2PMEM", error.message, {
      cause: error.cause,
      hint: `ask for less: it must be free in one piece; p2pdma cmb show ${provider.bdf} tells who holds the rest`,
    });
  }
}

/**
 * Takes all p2pmem that is free, up to a limit, in as many pieces as others have left it in.
 * @returns the pieces, none of them when nothing is free; the caller closes them.
 */
export function takeFreeMemory(
  sys: SystemView,
  native: Native,
  provider: Provider,
  limitBytes: bigint | undefined,
  kind: AllocatorKind | undefined,
): StagingBuffer[] {
  const pieces: StagingBuffer[] = [];
  const page = BigInt(PAGE_BYTES);
  try {
    let left = ((limitBytes ?? provider.sizeBytes) + page - 1n) & -page;
    let size = LARGEST_PIECE_BYTES;
    while (left > 0n) {
      const available = readAvailable(sys, provider.bdf) ?? 0n;
      size = [size, available, left].reduce((least, value) => (value < least ? value : least));
      size = (size / page) * page;
      if (size === 0n) break;
      const piece = tryTake(native, provider, size, kind);
      if (piece) {
        pieces.push(piece);
        left -= size;
      } else size /= 2n;
    }
    return pieces;
  } catch (error) {
    for (const piece of pieces) piece.close();
    throw error;
  }
}

/** Where a held allocation lies; undefined when the kernel hides it. */
export function placesOf({ residency, provider }: StagingBuffer): PlacedRange[] | undefined {
  if (!residency?.checked) return undefined;
  return residency.ranges.flatMap(({ start, end }) => {
    const bar = provider?.resources.find((resource) => start >= resource.start && start <= resource.end);
    return bar ? [{ start, end, bar: bar.index, barOffset: start - bar.start }] : [];
  });
}

function tryTake(
  native: Native,
  provider: Provider,
  sizeBytes: bigint,
  kind: AllocatorKind | undefined,
): StagingBuffer | undefined {
  try {
    return stageInP2pmem(native, provider, Number(sizeBytes), 1, kind);
  } catch (error) {
    if (isFull(error)) return undefined;
    throw error;
  }
}

function isFull(error: unknown): error is P2pdmaError {
  return error instanceof P2pdmaError && error.cause instanceof SyscallError && error.cause.code === "ENOMEM";
}
