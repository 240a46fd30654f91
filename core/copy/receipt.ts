// SPDX-License-Identifier: MIT
import { PAGE_BYTES } from "../../ffi/index.ts";
import type { BadRange } from "../journal/journal.ts";
import type { Residency } from "../p2pmem/residency.ts";
import type { StagingBuffer } from "../p2pmem/staging.ts";
import type { Identity } from "./disk.ts";
import type { Endpoint } from "./endpoint.ts";
import type { EngineName, EngineProgress } from "./engine.ts";
import type { HoleMethod } from "./layout.ts";
import type { CopyRange } from "./range.ts";
import type { Route } from "./route.ts";
import type { SourceMap } from "./sparse.ts";
import type { Verification } from "./verify.ts";

/** One end of the copy as the receipt names it. Byte counts that can pass 2^53 are strings. */
export interface ReceiptEnd {
  readonly path: string;
  readonly kind: Endpoint["kind"];
  readonly device: string | null;
  readonly pciAddress: string | null;
  readonly identity: Identity | null;
  readonly startBytes: string;
}

/** Memory that a copy went through. */
export interface ReceiptMemory {
  readonly provider: string | null;
  readonly providerName: string | null;
  readonly allocator: string | null;
  readonly sizeBytes: number;
  /** `inside BAR n`, or why it was not checked; null for RAM. */
  readonly residency: string | null;
  readonly bar: { readonly index: number; readonly start: string; readonly end: string } | null;
  /** Physical ranges, `end` exclusive, hexadecimal. */
  readonly ranges: readonly { readonly start: string; readonly end: string }[];
}

/** The record of a finished copy: `p2pdma copy --json` prints it. */
export interface Receipt {
  readonly schema: "p2pdma.copy/1";
  readonly source: ReceiptEnd;
  readonly destination: ReceiptEnd;
  readonly lengthBytes: string;
  readonly route: {
    readonly via: Route["via"];
    readonly reason: string;
    readonly rejected: readonly string[];
  };
  readonly staging: ReceiptMemory & {
    /** Memory of further providers, which share the slots. */
    readonly beside: readonly ReceiptMemory[];
  };
  readonly bytes: {
    /** Moved by this run. */
    readonly peerToPeer: string;
    readonly throughRam: string;
    /** By the drive's own Copy command. */
    readonly withinDrive: string;
    /** On the destination already when a resumed copy went on. */
    readonly before: string;
  };
  /** Parts of the source that read as zeroes and were not moved. */
  readonly sparse: {
    readonly method: SourceMap["method"];
    readonly holeBytes: string;
    /** How they came to be on the destination; left: a new file has them by itself. null: the zeros were moved. */
    readonly made: HoleMethod | null;
  };
  /** Stretches of the source that could not be brought over (exit code 5). */
  readonly badRanges: readonly BadRange[];
  readonly mapfile: string | null;
  readonly journal: string | null;
  readonly engine: EngineName;
  readonly chunkBytes: number;
  /** Chunks in flight at most; where it adapts, at the end. */
  readonly queueDepth: number;
  /** From the request to durable data, planning included. */
  readonly elapsedMs: number;
  /** The part of it from the first read to durable data. */
  readonly transferMs: number;
  readonly isDurable: true;
  /** A source file was modified meanwhile: the copy may hold a mixture. Of a device it can't be told. */
  readonly sourceChanged: boolean;
  readonly verification: Verification | null;
  readonly counters: {
    readonly retries: string;
    readonly shortTransfers: string;
    readonly ioUringEnters: string;
    readonly nativeCalls: number;
    readonly maxResidentBytes: number;
  };
}

export interface ReceiptParts {
  readonly src: Endpoint;
  readonly dst: Endpoint;
  readonly range: CopyRange;
  readonly journalPath: string | undefined;
  readonly bytesBefore: bigint;
  readonly sparse: {
    readonly method: SourceMap["method"];
    readonly holeBytes: bigint;
    readonly made: HoleMethod | undefined;
  };
  readonly badRanges: readonly BadRange[];
  readonly mapfile: string | undefined;
  readonly route: Route;
  readonly engine: EngineName;
  readonly chunkBytes: number;
  readonly elapsedMs: number;
  readonly transferMs: number;
  readonly progress: EngineProgress;
  readonly queueDepth: number;
  readonly nativeCalls: number;
  readonly sourceChanged: boolean;
  readonly verification: Verification | null;
}

/** Puts a finished copy on record. */
export function makeReceipt(parts: ReceiptParts): Receipt {
  const { src, dst, range, route, progress } = parts;
  const missing = parts.badRanges.reduce((sum, { lengthBytes }) => sum + BigInt(lengthBytes), 0n);
  const moved = (range.lengthBytes - parts.bytesBefore - parts.sparse.holeBytes - missing).toString();
  const by = (via: Route["via"]) => (route.via === via ? moved : "0");
  return {
    schema: "p2pdma.copy/1",
    source: describeEnd(src, range.srcOffset),
    destination: describeEnd(dst, range.dstOffset),
    lengthBytes: range.lengthBytes.toString(),
    route: { via: route.via, reason: route.reason, rejected: route.rejected },
    staging: { ...describeMemory(route.staging), beside: (route.staging.beside ?? []).map(describeMemory) },
    bytes: {
      peerToPeer: by("p2p"),
      throughRam: by("ram"),
      withinDrive: by("nvme-copy"),
      before: parts.bytesBefore.toString(),
    },
    sparse: {
      method: parts.sparse.method,
      holeBytes: parts.sparse.holeBytes.toString(),
      made: parts.sparse.made ?? null,
    },
    badRanges: parts.badRanges,
    mapfile: parts.mapfile ?? null,
    journal: parts.journalPath ?? null,
    engine: parts.engine,
    chunkBytes: parts.chunkBytes,
    queueDepth: parts.queueDepth,
    elapsedMs: parts.elapsedMs,
    transferMs: parts.transferMs,
    isDurable: true,
    sourceChanged: parts.sourceChanged,
    verification: parts.verification,
    counters: {
      retries: progress.retries.toString(),
      shortTransfers: progress.shortTransfers.toString(),
      ioUringEnters: progress.enters.toString(),
      nativeCalls: parts.nativeCalls,
      maxResidentBytes: process.resourceUsage().maxRSS * 1024,
    },
  };
}

function describeEnd(endpoint: Endpoint, start: bigint): ReceiptEnd {
  return {
    path: endpoint.path,
    kind: endpoint.kind,
    device: endpoint.device?.name ?? null,
    pciAddress: endpoint.device?.client ?? null,
    identity: endpoint.device?.identity ?? null,
    startBytes: start.toString(),
  };
}

function describeMemory({ provider, allocator, residency, mapping }: StagingBuffer): ReceiptMemory {
  const known = residency?.checked ? residency : undefined;
  return {
    provider: provider?.bdf ?? null,
    providerName: provider?.name ?? null,
    allocator: allocator?.path ?? null,
    sizeBytes: Math.ceil(mapping.lengthBytes / PAGE_BYTES) * PAGE_BYTES,
    residency: residency ? residencyWords(residency) : null,
    bar: known?.bar ? { index: known.bar.index, start: hex(known.bar.start), end: hex(known.bar.end) } : null,
    ranges: (known?.ranges ?? []).map(({ start, end }) => ({ start: hex(start), end: hex(end) })),
  };
}

function residencyWords(residency: Residency): string {
  return residency.checked
    ? `all ${residency.pages} pages inside BAR ${residency.bar?.index}`
    : `not checked: ${residency.reason}`;
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
