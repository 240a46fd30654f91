// SPDX-License-Identifier: MIT
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import * as v from "valibot";
import type { Extent } from "../../ffi/index.ts";
import { OVERWRITE_KINDS } from "../copy/safety.ts";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { emptyBitmap, unpackBits } from "./bitmap.ts";

const bytes = v.pipe(v.string(), v.regex(/^\d{1,19}$/));
const count = (most: number) => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(most));
const short = v.pipe(v.string(), v.maxLength(4096));

const time = v.pipe(v.string(), v.regex(/^-?\d{1,20}$/));

const end = v.strictObject({
  path: short,
  kind: v.picklist(["block", "file"]),
  sizeBytes: bytes,
  blockBytes: v.pipe(count(1 << 20), v.minValue(1)),
  model: v.nullable(short),
  serial: v.nullable(short),
  wwid: v.nullable(short),
  alias: v.nullable(short),
  partition: v.nullable(count(1 << 16)),
  startBytes: v.nullable(bytes),
  inode: v.nullable(short),
  modifiedNs: v.nullable(time),
  bornNs: v.nullable(time),
});

const badRange = v.strictObject({
  srcOffset: bytes,
  lengthBytes: bytes,
  direction: v.picklist(["read", "write"]),
  error: short,
});

/** Options of the copy that a resume goes on with unless told otherwise. */
const options = v.strictObject({
  via: v.picklist(["auto", "p2p", "ram", "nvme-copy"]),
  provider: v.nullable(short),
  allocator: v.nullable(v.picklist(["sysfs", "chardev"])),
  engine: v.picklist(["uring", "sync", "passthrough"]),
  depth: v.nullable(count(4096)),
  retries: count(1e9),
  retryDelayMs: count(2 ** 31),
  verify: v.nullable(v.picklist(["after", "inline"])),
  hash: v.nullable(v.picklist(["sha256", "xxh3"])),
  sparse: v.picklist(["auto", "never"]),
  onError: v.picklist(["stop", "skip"]),
  mapfile: v.nullable(short),
  checkpointMs: count(2 ** 31),
  overwrite: v.pipe(v.array(v.picklist(OVERWRITE_KINDS)), v.maxLength(16)),
});

const schema = v.strictObject({
  schema: v.literal("p2pdma.journal/1"),
  createdWith: short,
  createdAt: short,
  updatedAt: short,
  /** running: no end was written down, so the process may have died. */
  state: v.picklist(["running", "stopped", "bad-ranges", "done"]),
  /** Who writes this journal; to tell a dead one from one at work. */
  process: v.strictObject({ pid: count(2 ** 31), startTicks: short, bootId: short }),
  source: end,
  destination: end,
  range: v.strictObject({ srcOffset: bytes, dstOffset: bytes, lengthBytes: bytes }),
  /** The destination is a file that keeps what lies around the range. */
  inPlace: v.boolean(),
  chunkBytes: v.pipe(count(1 << 30), v.minValue(512)),
  options,
  /** Offset on the source and length of what is moved; the rest of the range is made of zeros. */
  data: v.pipe(v.array(v.tuple([bytes, bytes])), v.maxLength(1 << 21)),
  /** Bytes that were durable on the destination when this was written. */
  durableBytes: bytes,
  /** Deflated and base64: bit n of byte n/8 is chunk n of the data. */
  bitmap: v.pipe(v.string(), v.maxLength(1 << 28)),
  badRanges: v.pipe(v.array(badRange), v.maxLength(1 << 21)),
});

/** The state of a copy as it is written down. Byte counts are decimal strings. */
export type Journal = v.InferOutput<typeof schema>;
export type JournalOptions = Journal["options"];

/** A stretch of the source that could not be brought over. */
export interface BadRange {
  readonly srcOffset: string;
  readonly lengthBytes: string;
  readonly direction: "read" | "write";
  /** Symbolic errno, for example `EIO`. */
  readonly error: string;
}

/** The journal as a file: an object, with the SHA-256 of everything else in it. */
export function renderJournal(journal: Journal): string {
  return `${JSON.stringify({ ...journal, sha256: digest(journal) }, null, 1)}\n`;
}

/**
 * Reads a journal back. Nothing of it is believed before its digest and its shape are right.
 * @throws P2pdmaError BAD_JOURNAL (exit code 2)
 */
export function readJournal(path: string): Journal {
  return parseJournal(readText(path), path);
}

export function parseJournal(text: string, path: string): Journal {
  const { sha256, ...rest } = parseObject(text, path);
  if (sha256 !== digest(rest)) throw bad(path, "it is damaged: its SHA-256 does not match");
  const parsed = v.safeParse(schema, rest);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw bad(path, `${v.getDotPath(issue) ?? "it"}: ${issue.message}`);
  }
  checkSense(parsed.output, path);
  return parsed.output;
}

/** The stretches to move, with their place on the destination. */
export function dataExtents({ data, range }: Journal): Extent[] {
  const shift = BigInt(range.dstOffset) - BigInt(range.srcOffset);
  return data.map(([offset, length]) => ({
    srcOffset: BigInt(offset),
    dstOffset: BigInt(offset) + shift,
    lengthBytes: BigInt(length),
  }));
}

/** Which chunks are durable on the destination. */
export function durableChunks(journal: Journal): Buffer {
  return unpackBits(journal.bitmap, emptyBitmap(dataExtents(journal), journal.chunkBytes).length);
}

/** More than the bitmap of any drive takes; a fifo or a whole device is not even opened. */
const MOST_BYTES = 1 << 29;

function readText(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat && !stat.isFile()) throw bad(path, "it is no regular file");
  if (stat && stat.size > MOST_BYTES) throw bad(path, `it is no p2pdma journal: ${stat.size} bytes`);
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const exit = code === "ENOENT" ? ExitCode.usage : ExitCode.failed;
    throw new P2pdmaError("BAD_JOURNAL", exit, `Cannot read journal "${path}": ${code}`, { cause });
  }
}

function parseObject(text: string, path: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // Told below, with the other ways of being no journal.
  }
  throw bad(path, "it is no p2pdma journal");
}

/** What no schema can say: extents in order and inside the range, a bitmap that fits them. */
function checkSense(journal: Journal, path: string): void {
  const start = BigInt(journal.range.srcOffset);
  const stop = start + BigInt(journal.range.lengthBytes);
  let at = start;
  for (const { srcOffset, lengthBytes } of dataExtents(journal)) {
    if (srcOffset < at || srcOffset + lengthBytes > stop) throw bad(path, "its data lie outside its range");
    at = srcOffset + lengthBytes;
  }
  if (stop > BigInt(journal.source.sizeBytes)) throw bad(path, "its range ends behind its source");
  try {
    durableChunks(journal);
  } catch {
    throw bad(path, "its bitmap does not fit its data");
  }
}

function digest(journal: object): string {
  return createHash("sha256").update(JSON.stringify(journal)).digest("hex");
}

function bad(path: string, reason: string): P2pdmaError {
  return new P2pdmaError("BAD_JOURNAL", ExitCode.usage, `Cannot use journal "${path}": ${reason}`);
}
