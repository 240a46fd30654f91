// SPDX-License-Identifier: MIT
import { createHash } from "node:crypto";
import { read } from "node:fs";
import { type Native, type OpenFile, SyscallError } from "../../ffi/index.ts";
import type { CopyRange } from "./range.ts";

const STEP_BYTES = 1 << 20;
const EIO = 5;
const ENODATA = 61;

export interface Verification {
  /** Both sides were read back through RAM and hashed. */
  readonly method: "sha256 through RAM";
  readonly equal: boolean;
  readonly sourceDigest: string;
  readonly destinationDigest: string;
}

/** Reads both sides from their media (O_DIRECT) and compares digests. */
export async function verifyByHash(
  native: Native,
  src: OpenFile,
  dst: OpenFile,
  range: CopyRange,
): Promise<Verification> {
  const sourceDigest = await digest(native, src, range.srcOffset, range);
  const destinationDigest = await digest(native, dst, range.dstOffset, range);
  return {
    method: "sha256 through RAM",
    equal: sourceDigest === destinationDigest,
    sourceDigest,
    destinationDigest,
  };
}

async function digest(native: Native, file: OpenFile, offset: bigint, range: CopyRange): Promise<string> {
  const hash = createHash("sha256");
  const buffer = native.alignedBuffer(STEP_BYTES);
  const block = BigInt(range.blockBytes);
  let left = range.lengthBytes;
  for (let at = offset; left > 0n; ) {
    const aligned = ((left + block - 1n) / block) * block;
    const ask = aligned < BigInt(STEP_BYTES) ? Number(aligned) : STEP_BYTES;
    const got = await readSome(file, buffer, ask, at);
    const used = BigInt(got) < left ? got : Number(left);
    if (used === 0) throw new SyscallError("pread", ENODATA, file.path);
    hash.update(buffer.subarray(0, used));
    at += BigInt(used);
    left -= BigInt(used);
  }
  return hash.digest("hex");
}

function readSome(file: OpenFile, buffer: Buffer, length: number, position: bigint): Promise<number> {
  return new Promise((resolve, reject) => {
    read(file.fd, buffer, 0, length, position, (error, bytesRead) => {
      if (error) reject(new SyscallError("pread", -(error.errno ?? -EIO), file.path));
      else resolve(bytesRead);
    });
  });
}
