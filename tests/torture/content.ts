// SPDX-License-Identifier: MIT
import { createCipheriv } from "node:crypto";

/** The same bytes for the same seed, on the host and in the guest. */
export function contentOf(seed: number, lengthBytes: number): Buffer {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(lengthBytes));
}
