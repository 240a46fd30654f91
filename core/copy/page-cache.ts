// SPDX-License-Identifier: MIT
import type { Native, OpenFile } from "../../ffi/index.ts";

/** BLKFLSBUF: writes back and drops what the page cache holds of a block device. */
const BLKFLSBUF = 0x1261;

/** What NVMe commands write goes around the page cache: what it holds of the device must not be written or read later. */
export function dropCache(native: Native, file: OpenFile): void {
  native.ioctl(file, BLKFLSBUF, Buffer.alloc(8));
}
