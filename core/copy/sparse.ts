// SPDX-License-Identifier: MIT
import { setImmediate } from "node:timers/promises";
import { type Extent, type Native, type OpenFile, SyscallError } from "../../ffi/index.ts";
import { identifyNamespace, type NamespaceIdentity } from "../nvme/identify.ts";
import { readAllocatedRuns } from "../nvme/lba-status.ts";
import { describeStatus } from "../nvme/status.ts";
import type { SystemView } from "../sysfs.ts";
import type { Endpoint } from "./endpoint.ts";
import type { CopyRange } from "./range.ts";

/** The body of a copy, cut into what must be moved and what reads as zeroes. */
export interface SourceMap {
  /** In order; multiples of the range's block size. Together with the holes they are the body, each byte once. */
  readonly data: readonly Extent[];
  readonly holes: readonly Extent[];
  /** Bytes in holes. */
  readonly holeBytes: bigint;
  readonly method: "SEEK_DATA" | "Get LBA Status" | "none";
  /** Why there is no map, in words; undefined where there is one. */
  readonly reason: string | undefined;
}

/** Part of the source in bytes, `end` exclusive. */
export interface Span {
  readonly start: bigint;
  readonly end: bigint;
}

/** Finds the next hole (an end counts as one) or the next data from an offset on; undefined past the last. */
export type Seek = (kind: "hole" | "data", from: bigint) => bigint | undefined;

/** Holes kept at most: past this the shortest are moved like data. */
const MOST_HOLES = 1 << 19;
/** The kernel is asked so often before signals are heard again. */
const CALLS_AT_ONCE = 256;

/**
 * Finds the parts of the range's body that need not be moved because they read as zeroes: holes and unwritten parts of
 * files, and of namespaces what the drive reports as deallocated if it also says that this reads as zeroes. Holes
 * shorter than a chunk are not worth a split and count as data.
 *
 * The map is of the moment: what is written into a hole of the source later is not copied. Everything written before
 * the call is in it, also what is still in the page cache. A source must not change during a copy in any case.
 * @param srcFile the source, open for reading.
 * @param chunkBytes a multiple of the range's block size.
 */
export async function mapSource(
  native: Native,
  sys: SystemView,
  srcFile: OpenFile,
  endpoint: Endpoint,
  range: CopyRange,
  chunkBytes: number,
): Promise<SourceMap> {
  const body = { start: range.srcOffset, end: range.srcOffset + range.bodyBytes };
  if (endpoint.kind === "block") {
    // What the page cache holds for LBAs that are still deallocated is data, too.
    await native.flush(srcFile);
    const runs = readRuns(native, sys, srcFile, endpoint, body);
    if (typeof runs === "string") return wholeMap(range, runs);
    const spans = await findHoles(seekIn(runs), body, range.blockBytes, chunkBytes);
    return makeMap(range, spans, "Get LBA Status");
  }
  try {
    const seek: Seek = (kind, from) => native[kind === "hole" ? "seekHole" : "seekData"](srcFile, from);
    return makeMap(range, await findHoles(seek, body, range.blockBytes, chunkBytes), "SEEK_DATA");
  } catch (error) {
    if (!(error instanceof SyscallError) || error.code !== "EINVAL") throw error;
    return wholeMap(range, `the file system of "${srcFile.path}" can't tell where its holes are`);
  }
}

/**
 * Holes of at least `least` bytes, their ends moved inwards to block boundaries. Asks at most twice for each `least`
 * bytes: after a short hole it goes on that far, so that a source in a million pieces ends in time. A hole may lose
 * that much of its start; one of twice `least` is never missed.
 * @param most holes kept; when there are more, `least` doubles.
 */
export async function findHoles(
  seek: Seek,
  body: Span,
  blockBytes: number,
  least: number,
  most = MOST_HOLES,
): Promise<Span[]> {
  let holes: Span[] = [];
  let leastNow = BigInt(least);
  let at = body.start;
  for (let calls = 1; at < body.end; calls++) {
    const start = seek("hole", at);
    if (start === undefined || start >= body.end) break;
    const next = seek("data", start) ?? body.end;
    const end = next < body.end ? next : body.end;
    const hole = shrink({ start, end }, BigInt(blockBytes));
    if (hole.end - hole.start >= leastNow) holes.push(hole);
    while (holes.length > most) {
      leastNow *= 2n;
      holes = holes.filter((kept) => kept.end - kept.start >= leastNow);
    }
    at = end > start + leastNow ? end : start + leastNow;
    if (calls % CALLS_AT_ONCE === 0) await setImmediate();
  }
  return holes;
}

function shrink(span: Span, blockBytes: bigint): Span {
  const start = ((span.start + blockBytes - 1n) / blockBytes) * blockBytes;
  return { start, end: (span.end / blockBytes) * blockBytes };
}

/** Data runs as a seekable source. They may overlap, as a drive that answers out of order makes them. */
function seekIn(runs: readonly Span[]): Seek {
  const sorted = runs.toSorted((a, b) => (a.start < b.start ? -1 : 1));
  let index = 0;
  return (kind, from) => {
    let at = from;
    for (let run = sorted[index]; run; run = sorted[++index]) {
      if (run.end <= at) continue;
      if (kind === "data") return run.start > at ? run.start : at;
      if (run.start > at) return at;
      at = run.end;
    }
    return kind === "data" ? undefined : at;
  };
}

/** Allocated parts of a block device within the body, or the reason why they can't be told. */
function readRuns(
  native: Native,
  sys: SystemView,
  file: OpenFile,
  { device, path }: Endpoint,
  body: Span,
): Span[] | string {
  if (!device) return `"${path}" does not tell what is allocated`;
  const identity = identifyNamespace({ sys, native }, device.disk);
  if (typeof identity === "string") return identity;
  const problem = mapProblem(device.disk, identity);
  if (problem !== undefined) return problem;
  const lba = BigInt(identity.lbaBytes);
  const base = device.startBytes;
  const first = { startLba: (base + body.start) / lba, endLba: (base + body.end + lba - 1n) / lba };
  const runs = readAllocatedRuns((command) => native.nvmeAdminCommand(file, command), identity.nsid, first);
  if (typeof runs === "number") return `"${device.disk}" refused Get LBA Status: ${describeStatus(runs)}`;
  return runs.map(({ startLba, endLba }) => ({ start: startLba * lba - base, end: endLba * lba - base }));
}

/** Why a drive's deallocated LBAs can't be left out; undefined when they can. */
export function mapProblem(disk: string, identity: NamespaceIdentity): string | undefined {
  if (!identity.hasLbaStatus) return `"${disk}" has no Get LBA Status command`;
  if (identity.deallocatedReads === "zeroes") return undefined;
  return `"${disk}" does not promise that deallocated LBAs read as zeroes`;
}

function wholeMap(range: CopyRange, reason: string): SourceMap {
  return { ...makeMap(range, [], "none"), reason };
}

/** Data is what the holes leave of the body. */
function makeMap(range: CopyRange, holes: readonly Span[], method: SourceMap["method"]): SourceMap {
  const data: Extent[] = [];
  const shift = range.dstOffset - range.srcOffset;
  const extent = (start: bigint, end: bigint): Extent => ({
    srcOffset: start,
    dstOffset: start + shift,
    lengthBytes: end - start,
  });
  const end = range.srcOffset + range.bodyBytes;
  let at = range.srcOffset;
  for (const hole of [...holes, { start: end, end }]) {
    if (hole.start > at) data.push(extent(at, hole.start));
    at = hole.end;
  }
  const holeBytes = holes.reduce((sum, hole) => sum + hole.end - hole.start, 0n);
  const gaps = holes.map((hole) => extent(hole.start, hole.end));
  return { data, holes: gaps, holeBytes, method, reason: undefined };
}
