// SPDX-License-Identifier: MIT
import { type FileHandle, open } from "node:fs/promises";
import { usageError } from "../errors.ts";
import type { ReadableBytes } from "../p2pmem/compare-bytes.ts";
import { naming } from "./naming.ts";

/** A regular file to fill memory from or to compare it with, by CPU. */
export class FileBytes implements ReadableBytes, AsyncDisposable {
  /** @throws SyscallError, P2pdmaError USAGE for what is no regular file */
  static async open(path: string): Promise<FileBytes> {
    const file = await naming("open", path, () => open(path, "r"));
    const stat = await file.stat({ bigint: true });
    if (stat.isFile()) return new FileBytes(path, file, stat.size);
    await file.close();
    throw usageError(
      `"${path}" is no regular file`,
      "read DEVICE BUFFER brings a device's blocks into a buffer, by DMA",
    );
  }

  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    readonly sizeBytes: bigint,
  ) {}

  async read(offset: number, length: number): Promise<Buffer> {
    const data = Buffer.alloc(length);
    for (let done = 0; done < length; ) {
      const rest = [data, done, length - done, offset + done] as const;
      const { bytesRead } = await naming("read", this.path, () => this.file.read(...rest));
      if (bytesRead === 0) throw usageError(`"${this.path}" became shorter while it was read`);
      done += bytesRead;
    }
    return data;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.file.close();
  }
}
