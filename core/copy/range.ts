// SPDX-License-Identifier: MIT
import { P2pdmaError, usageError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { formatBytes } from "../units.ts";
import type { Endpoint } from "./endpoint.ts";

/** What is copied, in bytes: the aligned body that the engine moves, and the tail inside the last block. */
export interface CopyRange {
  readonly srcOffset: bigint;
  readonly dstOffset: bigint;
  readonly lengthBytes: bigint;
  /** Larger of the two sides' block sizes. */
  readonly blockBytes: number;
  readonly bodyBytes: bigint;
  /** Less than blockBytes. */
  readonly tailBytes: number;
}

export interface RangeRequest {
  /** Where to start on the source; default 0. */
  readonly offset?: bigint | undefined;
  /** How much; default all that follows. */
  readonly length?: bigint | undefined;
  /** Where to start on the destination; default 0. */
  readonly seek?: bigint | undefined;
}

/**
 * Settles the range against both ends, before anything is opened for writing.
 * @throws P2pdmaError USAGE, MISALIGNED or TOO_SMALL
 */
export function resolveRange(src: Endpoint, dst: Endpoint, request: RangeRequest): CopyRange {
  const srcOffset = request.offset ?? 0n;
  const dstOffset = request.seek ?? 0n;
  if (srcOffset > src.sizeBytes) {
    throw usageError(`--offset ${srcOffset} lies past the end of "${src.path}" (${src.sizeBytes} bytes)`);
  }
  const lengthBytes = request.length ?? src.sizeBytes - srcOffset;
  if (srcOffset + lengthBytes > src.sizeBytes) {
    throw usageError(`"${src.path}" ends at ${src.sizeBytes} bytes, asked up to ${srcOffset + lengthBytes}`);
  }
  const blockBytes = Math.max(src.blockBytes, dst.blockBytes);
  checkAligned("--offset", srcOffset, blockBytes);
  checkAligned("--seek", dstOffset, blockBytes);
  checkFits(dst, dstOffset + lengthBytes);
  const tailBytes = Number(lengthBytes % BigInt(blockBytes));
  return {
    srcOffset,
    dstOffset,
    lengthBytes,
    blockBytes,
    bodyBytes: lengthBytes - BigInt(tailBytes),
    tailBytes,
  };
}

function checkAligned(option: string, value: bigint, blockBytes: number): void {
  if (value % BigInt(blockBytes) === 0n) return;
  throw new P2pdmaError(
    "MISALIGNED",
    ExitCode.usage,
    `${option} ${value} is no multiple of the block size ${blockBytes}`,
    {
      hint: "direct I/O starts at block boundaries; lengths may be any number of bytes",
    },
  );
}

function checkFits(dst: Endpoint, endBytes: bigint): void {
  if (dst.kind === "file" || endBytes <= dst.sizeBytes) return;
  throw new P2pdmaError(
    "TOO_SMALL",
    ExitCode.failed,
    `Cannot copy to "${dst.path}": it holds ${dst.sizeBytes} bytes (${formatBytes(dst.sizeBytes)}), needed ${endBytes}`,
    { hint: "limit the copy with --length" },
  );
}
