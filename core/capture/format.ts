// SPDX-License-Identifier: MIT

export const CAPTURE_SCHEMA = "p2pdma.capture/1";

/** Every question a view was asked, with its answer; undefined where there was nothing. */
export interface Answers {
  readonly files: Map<string, Uint8Array | undefined>;
  readonly lists: Map<string, readonly string[]>;
  readonly links: Map<string, string | undefined>;
}

export function noAnswers(): Answers {
  return { files: new Map(), lists: new Map(), links: new Map() };
}

/** A file's content: short text, text in lines, or anything else in base64; null where it could not be read. */
export type Content = string | readonly string[] | { readonly base64: readonly string[] } | null;

/** The document that a capture file holds. */
export interface CaptureDocument {
  readonly schema: typeof CAPTURE_SCHEMA;
  /** `p2pdma 0.1.0` */
  readonly createdWith: string;
  /** As `uname -r` has it. */
  readonly kernel: string | null;
  /** Whether serial numbers and the like are themselves or hashes. */
  readonly identifiers: "hashed" | "plain";
  readonly files: Readonly<Record<string, Content>>;
  readonly lists: Readonly<Record<string, readonly string[]>>;
  /** Where a path leads when all links are followed. */
  readonly links: Readonly<Record<string, string | null>>;
}

/** What a capture may hold at most. Real ones stay far below. */
export const captureLimits = {
  fileBytes: 64 << 20,
  contentBytes: 1 << 20,
  /** Paths and names in directories together. */
  entries: 1_000_000,
  /** Of the JSON, lines of content included. */
  values: 4_000_000,
  depth: 8,
  pathLength: 4096,
  nameLength: 255,
} as const;
