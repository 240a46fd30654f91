// SPDX-License-Identifier: MIT
import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { type Extent, type Native, type OpenFile, SyscallError } from "../../ffi/index.ts";
import type { StopSwitch } from "./stop.ts";

export type HashName = "sha256" | "xxh3";
export const HASH_NAMES: readonly HashName[] = ["sha256", "xxh3"];

/** A stretch that is not the same on both sides, in bytes, as decimal strings. */
export interface DifferingRange {
  readonly srcOffset: string;
  readonly dstOffset: string;
  readonly lengthBytes: string;
}

export interface Verification {
  readonly method: "NVMe Compare" | HashName;
  readonly equal: boolean;
  /** Payload bytes that passed system RAM for it, both sides counted. */
  readonly throughRamBytes: string;
  /** Why the drive could not compare by itself; null where it did, or was not to. */
  readonly reason: string | null;
  /** null where nothing was hashed. */
  readonly sourceDigest: string | null;
  readonly destinationDigest: string | null;
  /** Located to the block, at most 1024 of them. */
  readonly differing: readonly DifferingRange[];
  /** There may be more than are listed. */
  readonly isListCut: boolean;
}

const STEP_BYTES = 1 << 20;
export const MAX_DIFFERING = 1024;
const ENODATA = 61;

export interface ThroughRam {
  readonly src: OpenFile;
  readonly dst: OpenFile;
  /** What to compare; a length need not end at a block, as the last one of a file does not. */
  readonly extents: readonly Extent[];
  readonly blockBytes: number;
  readonly hash: HashName;
  readonly reason: string | null;
  readonly stop: StopSwitch;
  /** 0 for no limit. */
  readonly bytesPerSecond: number;
  readonly onProgress: (bytesDone: bigint) => void;
}

/**
 * Reads both sides from their media (O_DIRECT) into RAM, compares and hashes them.
 * @returns undefined when it was told to stop
 */
export async function verifyThroughRam(native: Native, job: ThroughRam): Promise<Verification | undefined> {
  const ours = hasher(native, job.hash);
  const theirs = hasher(native, job.hash);
  const buffers = [native.alignedBuffer(STEP_BYTES), native.alignedBuffer(STEP_BYTES)] as const;
  const differing: DifferingRange[] = [];
  const started = performance.now();
  let done = 0n;
  for (const step of stepsOf(job.extents)) {
    if (job.stop.mode) return undefined;
    const [src, dst] = await Promise.all([
      readStep(native, job.src, buffers[0], step.srcOffset, step.length, job.blockBytes),
      readStep(native, job.dst, buffers[1], step.dstOffset, step.length, job.blockBytes),
    ]);
    ours.update(src);
    theirs.update(dst);
    if (!src.equals(dst)) locate(differing, src, dst, step, job.blockBytes);
    done += BigInt(step.length);
    job.onProgress(done);
    await pace(job, started, done);
  }
  return {
    method: job.hash,
    equal: differing.length === 0,
    throughRamBytes: (done * 2n).toString(),
    reason: job.reason,
    sourceDigest: ours.hex(),
    destinationDigest: theirs.hex(),
    differing,
    isListCut: differing.length >= MAX_DIFFERING,
  };
}

const PACE_STEP_MS = 50;

/** Waits until the rate allows the next step, or somebody wants it to stop. */
async function pace({ bytesPerSecond, stop }: ThroughRam, started: number, done: bigint): Promise<void> {
  if (bytesPerSecond === 0) return;
  const due = started + (Number(done) / bytesPerSecond) * 1000;
  while (performance.now() < due && !stop.mode) {
    await setTimeout(Math.min(PACE_STEP_MS, due - performance.now()));
  }
}

interface Step {
  readonly srcOffset: bigint;
  readonly dstOffset: bigint;
  readonly length: number;
}

function* stepsOf(extents: readonly Extent[]): Generator<Step> {
  for (const { srcOffset, dstOffset, lengthBytes } of extents) {
    for (let at = 0n; at < lengthBytes; at += BigInt(STEP_BYTES)) {
      const left = lengthBytes - at;
      const length = left < BigInt(STEP_BYTES) ? Number(left) : STEP_BYTES;
      yield { srcOffset: srcOffset + at, dstOffset: dstOffset + at, length };
    }
  }
}

function hasher(native: Native, name: HashName) {
  if (name === "sha256") {
    const hash = createHash("sha256");
    return { update: (data: Buffer) => void hash.update(data), hex: () => hash.digest("hex") };
  }
  return native.xxh3();
}

async function readStep(
  native: Native,
  file: OpenFile,
  buffer: Buffer,
  offset: bigint,
  length: number,
  blockBytes: number,
): Promise<Buffer> {
  const ask = Math.ceil(length / blockBytes) * blockBytes;
  let got = 0;
  while (got < length) {
    const more = await native.readSome(file, buffer.subarray(got, ask), offset + BigInt(got));
    if (more === 0) throw new SyscallError("pread", ENODATA, file.path);
    got += more;
  }
  return buffer.subarray(0, length);
}

/** Adds the blocks of a step that differ, neighbours merged. */
function locate(found: DifferingRange[], src: Buffer, dst: Buffer, step: Step, blockBytes: number): void {
  for (let at = 0; at < step.length; at += blockBytes) {
    const end = Math.min(at + blockBytes, step.length);
    if (src.compare(dst, at, end, at, end) !== 0) {
      addDiffering(found, step.srcOffset + BigInt(at), step.dstOffset + BigInt(at), BigInt(end - at));
    }
  }
}

/** Appends a stretch, or makes the last one longer. */
export function addDiffering(
  found: DifferingRange[],
  srcOffset: bigint,
  dstOffset: bigint,
  lengthBytes: bigint,
): void {
  const last = found.at(-1);
  if (last && BigInt(last.srcOffset) + BigInt(last.lengthBytes) === srcOffset) {
    found[found.length - 1] = { ...last, lengthBytes: (BigInt(last.lengthBytes) + lengthBytes).toString() };
  } else if (found.length < MAX_DIFFERING) {
    found.push({
      srcOffset: srcOffset.toString(),
      dstOffset: dstOffset.toString(),
      lengthBytes: lengthBytes.toString(),
    });
  }
}
