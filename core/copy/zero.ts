// SPDX-License-Identifier: MIT
import { type Native, type OpenFile, SyscallError } from "../../ffi/index.ts";
import type { Endpoint } from "./endpoint.ts";

/** How a range was made to read as zeroes without moving any. */
export type ZeroMethod = "punched" | "write-zeroes";

export interface ZeroHooks {
  /** Asked between pieces of 1 GiB; true ends the zeroing. */
  readonly shouldStop?: () => boolean;
  /** Told after each piece. */
  readonly onProgress?: (zeroedBytes: bigint) => void;
}

export interface ZeroResult {
  /** Undefined where the destination can't: the caller has to move zeroes, to all of the range. */
  readonly method: ZeroMethod | undefined;
  /** Less than asked when it was stopped. */
  readonly zeroedBytes: bigint;
}

const PIECE_BYTES = 1n << 30n;

/**
 * Makes a range of the destination read as zeroes whatever it held, without payload: a hole in a file, Write Zeroes on
 * a namespace, which deallocates where the drive says that it does so. Durable after the destination's next flush.
 * A file that was made for the copy needs none of this: what is never written reads as zeroes.
 * @param dstFile the destination, open for writing.
 * @param offset multiple of the destination's block size, like the length.
 * @throws SyscallError for errors other than "not supported".
 */
export async function zeroRange(
  native: Native,
  dstFile: OpenFile,
  endpoint: Endpoint,
  offset: bigint,
  lengthBytes: bigint,
  hooks: ZeroHooks = {},
): Promise<ZeroResult> {
  const method = endpoint.kind === "file" ? "punched" : "write-zeroes";
  let done = 0n;
  while (done < lengthBytes && !hooks.shouldStop?.()) {
    const left = lengthBytes - done;
    const piece = left < PIECE_BYTES ? left : PIECE_BYTES;
    if (!(await canPunch(native, dstFile, offset + done, piece))) {
      return { method: undefined, zeroedBytes: 0n };
    }
    done += piece;
    hooks.onProgress?.(done);
  }
  return { method, zeroedBytes: done };
}

/** False where the file system or the drive can't; ZERO_RANGE would then write zeroes from RAM, which the caller decides. */
async function canPunch(
  native: Native,
  file: OpenFile,
  offset: bigint,
  lengthBytes: bigint,
): Promise<boolean> {
  try {
    await native.punchHole(file, offset, lengthBytes);
    return true;
  } catch (error) {
    if (error instanceof SyscallError && (error.code === "EOPNOTSUPP" || error.code === "ENOTSUP"))
      return false;
    throw error;
  }
}
