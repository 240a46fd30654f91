// SPDX-License-Identifier: MIT
// One place of a namespace compared with memory that is mapped here, by the drive itself.
import type { MemoryRange, Native, OpenFile } from "../../ffi/index.ts";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import type { NamespaceTarget } from "./namespace-target.ts";
import { describeStatus } from "./status.ts";

const COMPARE = 0x05;
/** Status code and type; Do Not Retry and More say nothing here. */
const STATUS_MASK = 0x7ff;
const COMPARE_FAILURE = 0x285;
const DWORD = 32n;

export interface Comparer extends Pick<NamespaceTarget, "nsid" | "lbaBytes" | "baseBytes" | "maxBytes"> {
  /** The namespace's character device. */
  readonly file: OpenFile;
}

/**
 * Lets the drive compare memory with what it would answer to a read.
 * @param offset of the end that the comparer is of, in bytes; like the range's length a multiple of the LBA size
 * @returns where the first LBA that differs begins, from the start of the range; undefined when none does
 * @throws SyscallError where the kernel does not send it, P2pdmaError COPY_FAILED for any other answer of the drive
 */
export function compareMemory(
  native: Native,
  comparer: Comparer,
  range: MemoryRange,
  offset: bigint,
): number | undefined {
  for (let at = 0; at < range.lengthBytes; at += comparer.maxBytes) {
    const lengthBytes = Math.min(comparer.maxBytes, range.lengthBytes - at);
    const part = { ...range, offsetBytes: range.offsetBytes + at, lengthBytes };
    if (!isEqual(native, comparer, part, offset + BigInt(at))) {
      return at + firstDifference(native, comparer, part, offset + BigInt(at));
    }
  }
  return undefined;
}

/** Halves a range that differs down to one LBA. */
function firstDifference(native: Native, comparer: Comparer, range: MemoryRange, offset: bigint): number {
  const { lbaBytes } = comparer;
  let start = 0;
  let length = range.lengthBytes;
  while (length > lbaBytes) {
    const half = Math.floor(length / lbaBytes / 2) * lbaBytes;
    const left = { ...range, offsetBytes: range.offsetBytes + start, lengthBytes: half };
    const differsLeft = !isEqual(native, comparer, left, offset + BigInt(start));
    if (!differsLeft) start += half;
    length = differsLeft ? half : length - half;
  }
  return start;
}

function isEqual(native: Native, comparer: Comparer, memory: MemoryRange, offset: bigint): boolean {
  const { file, nsid, lbaBytes, baseBytes } = comparer;
  const lba = (baseBytes + offset) / BigInt(lbaBytes);
  const status = native.nvmeIoCommand(file, {
    ...{ opcode: COMPARE, nsid, memory },
    cdw10: Number(lba & 0xffffffffn),
    cdw11: Number(lba >> DWORD),
    cdw12: memory.lengthBytes / lbaBytes - 1,
  });
  if (status === 0) return true;
  if ((status & STATUS_MASK) === COMPARE_FAILURE) return false;
  const what = `Cannot compare "${file.path}" at LBA ${lba}: ${describeStatus(status)}`;
  throw new P2pdmaError("COPY_FAILED", ExitCode.failed, what);
}
