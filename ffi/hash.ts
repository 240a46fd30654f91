// SPDX-License-Identifier: MIT
import { helperCall } from "./load.ts";
import { alignedBuffer } from "./memory.ts";

/** P2P_HASH_STATE_BYTES of c-helpers/p2pdma.h. */
const STATE_BYTES = 1024;

export interface StreamingHash {
  update(data: Buffer): void;
  /** The digest of all data so far, as 16 hexadecimal digits. */
  hex(): string;
}

/** XXH3, 64 bits: fast, and good against accidents, not against people. */
export function xxh3(): StreamingHash {
  const state = alignedBuffer(STATE_BYTES);
  helperCall("p2p_hash_begin", "hash", state);
  return {
    update: (data) => void helperCall("p2p_hash_update", "hash", state, data, data.length),
    hex: () => {
      const digest = Buffer.alloc(8);
      helperCall("p2p_hash_end", "hash", state, digest);
      return digest.readBigUInt64LE().toString(16).padStart(16, "0");
    },
  };
}
