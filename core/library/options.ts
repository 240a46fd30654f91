// SPDX-License-Identifier: MIT
import { type CopyRequest, DEFAULTS, throughHeld } from "../copy/request.ts";
import { OVERWRITE_KINDS, type OverwriteKind } from "../copy/safety.ts";
import { heldIn, type P2pmemBuffer } from "./buffer.ts";
import {
  bytes,
  type Checks,
  checkOptions,
  either,
  flag,
  listOf,
  oneOf,
  signal,
  text,
  whole,
} from "./check.ts";

/** Which memory the data go through. */
export interface RouteOptions {
  /**
   * `p2p` never falls back to RAM. `auto` (default) decides before the first byte is read, and the route event and
   * the receipt tell what it took and why. `nvme-copy`: the drive copies within one namespace by itself.
   */
  readonly via?: "auto" | "p2p" | "ram" | "nvme-copy" | undefined;
  /** PCI address or controller name whose memory to use. Default: tried in turn, best first. */
  readonly provider?: string | undefined;
  /** How to get at that memory. Default: what is there. */
  readonly allocator?: "sysfs" | "chardev" | undefined;
  /** Memory that is held already: it and nothing else, so leave out `via`, `provider` and `allocator`. */
  readonly through?: P2pmemBuffer | undefined;
  /** Chunks in flight, 1 to 4096. Default: adapts to the drives. */
  readonly depth?: number | undefined;
  /** Limit on the data moved, 1 and more. Default: none. */
  readonly bytesPerSecond?: bigint | undefined;
  /**
   * Ends it gently: nothing new is read, what was read is written, the journal is brought up to date, and it
   * rejects with INTERRUPTED. See also Running.abort().
   */
  readonly signal?: AbortSignal | undefined;
}

/** What is copied, in bytes; all of it multiples of the block size but the length. */
export interface RangeOptions {
  /** Block device, partition or regular file; also `serial:SERIAL`, `serial:SERIAL/NSID` or `wwid:WWID`. */
  readonly source: string;
  /** The same. */
  readonly destination: string;
  /** Where to start on the source. Default 0. */
  readonly offset?: bigint | undefined;
  /** Default: up to the end of the source. */
  readonly length?: bigint | undefined;
  /** Where to start on the destination. Default 0. A file keeps what lies around then. */
  readonly seek?: bigint | undefined;
  /** Bytes per request: a multiple of 4096 up to 1 GiB. Default 131072. */
  readonly chunkBytes?: number | undefined;
}

/** What a copy and its resume have in common. */
export interface TransferOptions extends RouteOptions {
  /** io_uring on a worker thread, or plain reads and writes one at a time. Default uring. */
  readonly engine?: "uring" | "sync" | undefined;
  /** More tries for a chunk that fails: 0 to 10⁹. Default 3. */
  readonly retries?: number | undefined;
  /** Before the first of them, 1 to 2³¹-1 ms; doubles with each. Default 100. */
  readonly retryDelayMs?: number | undefined;
  /** `skip` goes on, down to single blocks, and rejects with BAD_RANGES at the end. Default stop. */
  readonly onError?: "stop" | "skip" | undefined;
  /** Where to write a GNU ddrescue mapfile. Default: beside the journal, if anything is bad. */
  readonly mapfile?: string | undefined;
  /** Compare `after` (or true), or `inline`: each chunk right after it was written. Default false. */
  readonly verify?: boolean | "after" | "inline" | undefined;
  /** Verify through RAM, with this digest of both sides, even where the drive could compare. */
  readonly hash?: "sha256" | "xxh3" | undefined;
  /** How often the journal is brought up to date, 1 to 2³¹-1 ms. Default 5000. */
  readonly checkpointMs?: number | undefined;
  /** ioprio_set(2) value of every request, `class << 13 | level`: 24576 is idle. Default 0: the thread's. */
  readonly ioPriority?: number | undefined;
  /** Stop then, resumable: 1 to 2³¹-1 ms. It rejects with STOPPED. */
  readonly stopAfterMs?: number | undefined;
  /**
   * Block devices that may be overwritten, by path, `serial:…` or `wwid:…`; or `"all"`. Without the destination in
   * it, it rejects with NO_PERMISSION (exit code 7). Regular files need none.
   */
  readonly allowWrite?: "all" | readonly string[] | undefined;
  /** What the destination may be or hold all the same. Default: nothing. */
  readonly overwrite?: readonly OverwriteKind[] | undefined;
}

export interface CopyOptions extends RangeOptions, TransferOptions {
  /** Recreate holes instead of moving zeros. Default auto. */
  readonly sparse?: "auto" | "never" | undefined;
  /** Where to keep the journal. Default: a place of its own for each pair; false keeps none. */
  readonly journal?: string | false | undefined;
  /** Replace an unfinished journal and begin anew. Default false. */
  readonly restart?: boolean | undefined;
}

export interface ResumeOptions extends TransferOptions {
  /** Go on although the source was modified since. Default false. */
  readonly acceptChangedSource?: boolean | undefined;
}

export interface VerifyOptions extends RangeOptions, RouteOptions {
  readonly via?: "auto" | "p2p" | "ram" | undefined;
  /** Through RAM, with this digest of both sides, even where the drive could compare. */
  readonly hash?: "sha256" | "xxh3" | undefined;
}

const milliseconds = whole(1, 2 ** 31 - 1);

/** What allows writing and overwriting. */
export const permissionChecks = {
  allowWrite: either(oneOf("all"), listOf(text, "a list of device names")),
  overwrite: listOf(oneOf(...OVERWRITE_KINDS), `a list of ${OVERWRITE_KINDS.join(", ")}`),
};

const route: Checks<RouteOptions> = {
  via: oneOf("auto", "p2p", "ram", "nvme-copy"),
  provider: text,
  allocator: oneOf("sysfs", "chardev"),
  through: (value) => (heldIn(value) ? undefined : "what allocate() answered"),
  depth: whole(1, 4096),
  bytesPerSecond: bytes(1n),
  signal,
};

const hash = oneOf("sha256", "xxh3");

const range: Checks<RangeOptions> = {
  source: text,
  destination: text,
  offset: bytes(0n),
  length: bytes(0n),
  seek: bytes(0n),
  chunkBytes: whole(4096, 2 ** 30),
};

const transfer: Checks<TransferOptions> = {
  ...route,
  ...permissionChecks,
  engine: oneOf("uring", "sync"),
  retries: whole(0, 1e9),
  retryDelayMs: milliseconds,
  onError: oneOf("stop", "skip"),
  mapfile: text,
  verify: oneOf(true, false, "after", "inline"),
  hash,
  checkpointMs: milliseconds,
  ioPriority: whole(0, 0xffff),
  stopAfterMs: milliseconds,
};

/** @throws TypeError */
export function copyRequest(options: CopyOptions): CopyRequest {
  checkOptions(options, {
    ...{ ...range, ...transfer, sparse: oneOf("auto", "never"), restart: flag },
    journal: either(text, oneOf(false)),
  });
  const { source, destination, journal, restart = false } = options;
  return lend(options.through, {
    ...{ ...DEFAULTS, ...given(options), source, destination },
    journal: journal === false ? undefined : { path: journal, restart },
  });
}

/** What replaces the journal's options. @throws TypeError */
export function resumeOverride(options: ResumeOptions): Partial<CopyRequest> {
  checkOptions(options, { ...transfer, acceptChangedSource: flag });
  const held = heldIn(options.through);
  const borrowed = held && {
    via: "p2p" as const,
    provider: held.provider.bdf,
    allocator: undefined,
    through: held,
  };
  return { ...given(options), ...borrowed };
}

/** @throws TypeError */
export function verifyRequest(options: VerifyOptions): CopyRequest {
  checkOptions(options, { ...range, ...route, via: oneOf("auto", "p2p", "ram"), hash });
  const { source, destination } = options;
  return lend(options.through, { ...DEFAULTS, ...given(options), source, destination, verify: "after" });
}

function lend(through: P2pmemBuffer | undefined, request: CopyRequest): CopyRequest {
  const held = heldIn(through);
  return held ? throughHeld(request, held) : request;
}

type Names = keyof CopyOptions & keyof CopyRequest;

/** Options that mean the same to core under the same name. */
const SAME: readonly Exclude<Names, "source" | "destination" | "journal" | "through" | "verify">[] = [
  ...(["offset", "length", "seek", "chunkBytes", "via", "provider", "allocator", "depth", "engine"] as const),
  ...(["retries", "retryDelayMs", "onError", "mapfile", "hash", "checkpointMs", "ioPriority"] as const),
  ...(["stopAfterMs", "overwrite", "sparse"] as const),
];

function given(options: Omit<CopyOptions, "source" | "destination">): Partial<CopyRequest> {
  const { verify, hash, bytesPerSecond } = options;
  const same = SAME.map((name) => [name, options[name]] as const);
  const when = verify === true || (verify === undefined && hash) ? "after" : verify;
  const renamed = [["rate", bytesPerSecond] as const, ["verify", when || undefined] as const];
  return Object.fromEntries([...same, ...renamed].filter(([, value]) => value !== undefined));
}
