// SPDX-License-Identifier: MIT
import type { Native } from "../../ffi/index.ts";
import { usageError } from "../errors.ts";
import type { HeldBuffer } from "../p2pmem/held-buffer.ts";
import type { AllocatorKind } from "../p2pmem/providers.ts";
import type { SystemView } from "../sysfs.ts";
import type { Endpoint } from "./endpoint.ts";
import type { EngineName } from "./engine.ts";
import type { CopyPlan } from "./prepare.ts";
import type { RangeRequest } from "./range.ts";
import type { Route, Via } from "./route.ts";
import type { OverwriteKind } from "./safety.ts";
import type { StopSwitch } from "./stop.ts";
import type { HashName } from "./verify.ts";

export interface JournalRequest {
  /** Undefined takes the default place for this pair. */
  readonly path: string | undefined;
  /** An unfinished journal at that path is replaced. */
  readonly restart: boolean;
}

export interface CopyRequest extends RangeRequest {
  readonly source: string;
  readonly destination: string;
  readonly via: Via;
  readonly provider?: string | undefined;
  readonly allocator?: AllocatorKind | undefined;
  /** Its memory is the staging buffer, and nothing else will do; see throughHeld(). */
  readonly through?: HeldBuffer | undefined;
  readonly engine: EngineName;
  /** Bytes, a multiple of 4096. */
  readonly chunkBytes: number;
  /** Less where the drives take less in one command, or p2pmem is scarce. */
  readonly mayLowerChunk?: boolean;
  /** Chunks in flight; undefined adapts it to the drives, within what p2pmem allows. */
  readonly depth?: number | undefined;
  /** More tries for a chunk that fails. */
  readonly retries: number;
  /** Before the first of them, in ms; doubles with each. */
  readonly retryDelayMs: number;
  readonly onError: "stop" | "skip";
  readonly mapfile?: string | undefined;
  readonly verify?: "after" | "inline" | undefined;
  /** Verify through RAM, with this digest, even where the drive could compare. */
  readonly hash?: HashName | undefined;
  readonly sparse: "auto" | "never";
  /** Undefined keeps no journal. */
  readonly journal?: JournalRequest | undefined;
  readonly checkpointMs: number;
  /** Bytes a second. */
  readonly rate?: bigint | undefined;
  /** ioprio_set(2) value of every request; 0 for none. */
  readonly ioPriority: number;
  readonly stopAfterMs?: number | undefined;
  /** What the destination may be or hold all the same. */
  readonly overwrite: readonly OverwriteKind[];
}

/** The machine a copy runs on; passed in, so that the planning can be tested without one. */
export interface CopyEnvironment {
  readonly sys: SystemView;
  readonly native: Native;
}

export type CopyPhase = "copy" | "zero" | "rescue" | "verify";

export interface CopyProgress {
  readonly phase: CopyPhase;
  readonly bytesDone: bigint;
  readonly bytesTotal: bigint;
  readonly depth: number;
}

export interface CopyHooks {
  /** Asks for leave to overwrite; must throw when there is none. */
  readonly permit: (destination: Endpoint) => void | Promise<void>;
  /** Asked to stop: by signals, say. */
  readonly stop: StopSwitch;
  /** Something the user should know that stops nothing. */
  readonly warn: (text: string) => void;
  /** The route is settled, nothing has been read. */
  readonly onRoute?: (route: Route, plan: CopyPlan) => void;
  /** Called a few times a second while data moves. */
  readonly onProgress?: (progress: CopyProgress) => void;
  /** The journal claims so much now. */
  readonly onCheckpoint?: (journal: string, durableBytes: bigint) => void;
}

/** Slots of a copy whose depth adapts: as far as it may climb. */
export const ADAPTIVE_SLOTS = 64;
export const MAX_DEPTH = 4096;
const CHUNK_UNIT_BYTES = 4096;
const MAX_CHUNK_BYTES = 1 << 30;

/** What can be said of a request without looking at the machine. */
export function checkShape(request: CopyRequest): void {
  const { chunkBytes, depth, retries, through } = request;
  if (chunkBytes <= 0 || chunkBytes % CHUNK_UNIT_BYTES !== 0 || chunkBytes > MAX_CHUNK_BYTES) {
    throw usageError(`--chunk ${chunkBytes} must be a multiple of ${CHUNK_UNIT_BYTES} up to 1 GiB`);
  }
  if (depth !== undefined && !(Number.isInteger(depth) && depth >= 1 && depth <= MAX_DEPTH)) {
    throw usageError(`--depth ${depth} must be a whole number from 1 to ${MAX_DEPTH}`);
  }
  if (!Number.isInteger(retries) || retries < 0) throw usageError("--retries must be a whole number from 0");
  if (request.rate === 0n) throw usageError("--rate 0 would never end");
  if (through && (request.via !== "p2p" || request.provider !== through.provider.bdf || request.allocator)) {
    throw usageError(
      `--through ${through.name} says whose memory it is: leave out --via, --provider and --allocator`,
    );
  }
  if (request.verify === "inline" && request.hash) {
    throw usageError("--verify=inline is the drive's own comparison, --hash goes through RAM: choose one");
  }
  if (request.via === "nvme-copy" && (request.rate !== undefined || request.ioPriority !== 0)) {
    throw usageError("--rate and --nice can't shape a copy that the drive makes by itself (--via nvme-copy)");
  }
  if (request.engine !== "uring" && request.ioPriority !== 0) {
    throw usageError(
      `--nice is for the block layer's io_uring requests: it can't go with --engine ${request.engine}`,
    );
  }
}

/** The same copy through memory that is held already: peer-to-peer or not at all. checkShape() refuses what contradicts. */
export function throughHeld(request: CopyRequest, through: HeldBuffer): CopyRequest {
  const via = request.via === "auto" ? "p2p" : request.via;
  return { ...request, via, provider: request.provider ?? through.provider.bdf, through };
}

/** What a copy does when nothing is said. */
export const DEFAULTS = {
  ...{ via: "auto", engine: "uring", onError: "stop", sparse: "auto" },
  ...{
    chunkBytes: 128 << 10,
    retries: 3,
    retryDelayMs: 100,
    checkpointMs: 5000,
    ioPriority: 0,
    overwrite: [],
  },
} as const satisfies Partial<CopyRequest>;
