// SPDX-License-Identifier: MIT
import { constants } from "node:os";
import { SyscallError } from "./errors.ts";
import type { OpenFile } from "./files.ts";
import { bufferAddress, helperCallAsync } from "./load.ts";
import type { Extent } from "./pump.ts";

/** A copy within one namespace by its own Copy command. Sizes are bytes and multiples of lbaBytes. */
export interface NvmeCopyJob {
  /** The namespace's character device, open for writing. */
  readonly file: OpenFile;
  readonly nsid: number;
  readonly lbaBytes: number;
  /** Where either end begins on the namespace: a partition's start. */
  readonly srcBaseBytes: bigint;
  readonly dstBaseBytes: bigint;
  readonly extents: readonly Extent[];
  /** One bit of the bitmap, and the most that one command moves. */
  readonly chunkBytes: number;
  /** Bit n of byte n/8: chunk n is done. Set bits are skipped; may be snapshotted while the copy runs. */
  readonly bitmap: Buffer;
  /** Commands in flight, 1 to 64. */
  readonly depth: number;
  /** What the drive takes: LBAs of one source range (MSSRL), of one command (MCL), and ranges of one command. */
  readonly rangeLbas: number;
  readonly commandLbas: number;
  readonly ranges: number;
}

export interface NvmeCopyProgress {
  readonly bytesDone: bigint;
  readonly chunksDone: bigint;
  readonly commands: bigint;
}

/** A Copy command that the drive ended with an error. Offsets are bytes from the ends' bases. */
export interface NvmeCopyFailure {
  /** NVMe status field. */
  readonly status: number;
  readonly srcOffset: bigint;
  readonly dstOffset: bigint;
  readonly lengthBytes: bigint;
}

export interface NvmeCopyRun {
  /** Resolves when nothing is in flight any more. Rejects with SyscallError when the kernel sent nothing. */
  readonly done: Promise<NvmeCopyFailure | "done" | "cancelled">;
  progress(): NvmeCopyProgress;
  /** Ends it after the commands in flight. */
  cancel(): void;
}

const JOB_BYTES = 88;
/** Index of each 64-bit field of struct p2p_nvme_copy_status. */
const STATUS = {
  ...{ bytesDone: 0, chunksDone: 1, commands: 2, errorStatus: 3 },
  ...{ errorSrcOffset: 4, errorDstOffset: 5, errorLength: 6, cancel: 7 },
} as const;
const STATUS_FIELDS = 8;

/** Starts the copy on worker threads. */
export function startNvmeCopy(job: NvmeCopyJob): NvmeCopyRun {
  const status = Buffer.alloc(STATUS_FIELDS * 8);
  const extents = packExtents(job.extents);
  const packed = packJob(job, extents, status);
  const field = (index: number) => status.readBigUInt64LE(index * 8);
  const run = async () => {
    const result = await helperCallAsync("p2p_nvme_copy", { job, status, extents }, packed);
    if (result === 0) return "done";
    if (result === -constants.errno.ECANCELED) return "cancelled";
    if (field(STATUS.errorStatus) === 0n) {
      throw new SyscallError("ioctl", -result, job.file.path);
    }
    return {
      status: Number(field(STATUS.errorStatus)),
      srcOffset: field(STATUS.errorSrcOffset),
      dstOffset: field(STATUS.errorDstOffset),
      lengthBytes: field(STATUS.errorLength),
    };
  };
  return {
    done: run(),
    progress: () => ({
      bytesDone: field(STATUS.bytesDone),
      chunksDone: field(STATUS.chunksDone),
      commands: field(STATUS.commands),
    }),
    cancel: () => void status.writeBigUInt64LE(1n, STATUS.cancel * 8),
  };
}

function packExtents(extents: readonly Extent[]): Buffer {
  const out = Buffer.alloc(extents.length * 24);
  for (const [index, { srcOffset, dstOffset, lengthBytes }] of extents.entries()) {
    out.writeBigUInt64LE(srcOffset, index * 24);
    out.writeBigUInt64LE(dstOffset, index * 24 + 8);
    out.writeBigUInt64LE(lengthBytes, index * 24 + 16);
  }
  return out;
}

function packJob(job: NvmeCopyJob, extents: Buffer, status: Buffer): Buffer {
  const out = Buffer.alloc(JOB_BYTES);
  const { file, nsid, lbaBytes, depth, rangeLbas, commandLbas, ranges, chunkBytes, bitmap } = job;
  out.writeInt32LE(file.fd, 0);
  const words = [nsid, lbaBytes, depth, rangeLbas, commandLbas, ranges, chunkBytes];
  for (const [index, word] of words.entries()) out.writeUInt32LE(word, 4 + index * 4);
  const wide = [
    ...[job.srcBaseBytes, job.dstBaseBytes],
    ...[address(extents), BigInt(job.extents.length), address(bitmap), BigInt(bitmap.length)],
    address(status),
  ];
  for (const [index, word] of wide.entries()) out.writeBigUInt64LE(word, 32 + index * 8);
  return out;
}

function address(buffer: Buffer): bigint {
  return buffer.length === 0 ? 0n : BigInt(bufferAddress(buffer));
}
