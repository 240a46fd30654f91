// SPDX-License-Identifier: MIT
// What a journal claims to be durable, held against what is on the destination. Read here on its own, not by
// the product's reader: a mistake that its writer and its reader share would not show otherwise.
import { inflateRawSync } from "node:zlib";

interface JournalFile {
  readonly state: "running" | "stopped" | "bad-ranges" | "done";
  readonly range: { readonly srcOffset: string; readonly dstOffset: string; readonly lengthBytes: string };
  readonly chunkBytes: number;
  readonly data: readonly (readonly [string, string])[];
  readonly durableBytes: string;
  readonly bitmap: string;
  readonly badRanges: readonly { readonly srcOffset: string; readonly lengthBytes: string }[];
}

interface Chunk {
  readonly from: number;
  readonly to: number;
  readonly lengthBytes: number;
  readonly isClaimed: boolean;
}

/** What the two ends hold of the range that a journal is about, or more. */
export interface Ends {
  readonly source: Buffer;
  readonly destination: Buffer;
  /** Where the buffers begin on the devices. */
  readonly srcBase?: number;
  readonly dstBase?: number;
}

export interface ClaimReport {
  readonly state: JournalFile["state"];
  readonly chunks: number;
  readonly claimed: number;
  /** On the destination, though the journal does not say so: a resume copies them again. */
  readonly repeated: number;
  /** Claimed, and not there: the promise is broken. */
  readonly lies: readonly string[];
}

/** @param text the content of a journal, whole: a torn one throws */
export function checkClaims(text: string, ends: Ends): ClaimReport {
  const journal = JSON.parse(text) as JournalFile;
  const { source, destination, srcBase = 0, dstBase = 0 } = ends;
  const chunks = chunksOf(journal);
  const isThere = ({ from, to, lengthBytes }: Chunk) =>
    source
      .subarray(from - srcBase, from - srcBase + lengthBytes)
      .equals(destination.subarray(to - dstBase, to - dstBase + lengthBytes));
  const claimed = chunks.filter(({ isClaimed }) => isClaimed);
  const lies = claimed.filter((chunk) => !isThere(chunk));
  const repeated = chunks.filter((chunk) => !chunk.isClaimed && isThere(chunk));
  return {
    state: journal.state,
    chunks: chunks.length,
    claimed: claimed.length,
    repeated: repeated.length,
    lies: lies.map(({ from, lengthBytes }) => `${from}+${lengthBytes}`),
  };
}

/** A finished copy claims all of its range, what it made of zeros included. */
function chunksOf(journal: JournalFile): Chunk[] {
  const { range, chunkBytes, data, state } = journal;
  const shift = Number(range.dstOffset) - Number(range.srcOffset);
  if (state === "done") {
    const [from, to] = [Number(range.srcOffset), Number(range.dstOffset)];
    return [{ from, to, lengthBytes: Number(range.lengthBytes), isClaimed: true }];
  }
  const bits = inflateRawSync(Buffer.from(journal.bitmap, "base64"));
  const chunks: Chunk[] = [];
  for (const [offset, length] of data) {
    for (let at = 0; at < Number(length); at += chunkBytes) {
      const index = chunks.length;
      const from = Number(offset) + at;
      const isClaimed = ((bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
      chunks.push({
        from,
        to: from + shift,
        lengthBytes: Math.min(chunkBytes, Number(length) - at),
        isClaimed,
      });
    }
  }
  return chunks;
}
