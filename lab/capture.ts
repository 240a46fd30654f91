// SPDX-License-Identifier: MIT
import { Readable, Writable } from "node:stream";
import type { GuestCommand } from "./session.ts";

export type Streams = Pick<GuestCommand, "stdin" | "stdout" | "stderr" | "terminal">;

/** A sink that keeps everything. */
export class Collector extends Writable {
  private readonly chunks: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.chunks.push(chunk);
    done();
  }

  bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

/** A source of exactly these bytes. */
export function withInput(input: string | Uint8Array = ""): Readable {
  const bytes = Buffer.from(input as Uint8Array);
  return Readable.from(bytes.length > 0 ? [bytes] : []);
}
