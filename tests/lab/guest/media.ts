// SPDX-License-Identifier: MIT
// Reads and writes media from inside the guest, past the page cache.
import { createHash, randomBytes } from "node:crypto";
import { closeSync, constants, fsyncSync, openSync, readSync, writeSync } from "node:fs";
import { listControllers, type NvmeController } from "../../../core/nvme/controllers.ts";
import { SystemFiles } from "../../../core/sysfs.ts";
import { native } from "../../../ffi/index.ts";

export const sys = new SystemFiles();

export interface Drive {
  readonly controller: NvmeController;
  readonly bdf: string;
  /** `/dev/nvme0n1` */
  readonly path: string;
}

/** The lab's drive with this letter, whatever number it got. */
export function drive(letter: string): Drive {
  const controller = listControllers(sys).find(({ serial }) => serial === `P2PLAB-${letter}`);
  const [namespace] = controller?.namespaces ?? [];
  if (!controller?.bdf || !namespace) throw new Error(`the lab has no drive ${letter}`);
  return { controller, bdf: controller.bdf, path: `/dev/${namespace.name}` };
}

/** Length and offset are multiples of 512. */
export function readMedium(path: string, offset: bigint, lengthBytes: number): Buffer {
  const buffer = native.alignedBuffer(Math.max(lengthBytes, 512));
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECT);
  try {
    const got = lengthBytes === 0 ? 0 : readSync(fd, buffer, 0, lengthBytes, offset);
    if (got !== lengthBytes) throw new Error(`read ${got} of ${lengthBytes} bytes of ${path}`);
  } finally {
    closeSync(fd);
  }
  return buffer.subarray(0, lengthBytes);
}

export function writeMedium(path: string, offset: bigint, data: Buffer): void {
  const buffer = native.alignedBuffer(data.length);
  data.copy(buffer);
  const fd = openSync(path, constants.O_WRONLY | constants.O_DIRECT);
  try {
    writeSync(fd, buffer, 0, buffer.length, Number(offset));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Random content from a pool, so that the slow guest makes it only once. */
const pool = randomBytes(1 << 20);
let poolStep = 0;
export function randomContent(lengthBytes: number): Buffer {
  poolStep = (poolStep + 4099) % 65536;
  const whole = Buffer.alloc(lengthBytes);
  for (let at = 0; at < lengthBytes; at += pool.length - 65536) {
    pool.copy(whole, at, poolStep, poolStep + Math.min(pool.length - 65536, lengthBytes - at));
  }
  return whole;
}

export function sha256(data: Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}
