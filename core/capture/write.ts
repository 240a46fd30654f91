// SPDX-License-Identifier: MIT
import { encodeContent } from "./content.ts";
import { type Answers, CAPTURE_SCHEMA, type CaptureDocument } from "./format.ts";
import { hideIdentifiers } from "./identifiers.ts";

export interface WriteOptions {
  /** Program and version. */
  readonly createdWith: string;
  /** Serial numbers, WWIDs, NQNs, host and volume names as they are, not as hashes. */
  readonly withSerials?: boolean;
}

/** A capture as the text of its file: sorted, and the same for the same answers. */
export function writeCapture(answers: Answers, { createdWith, withSerials = false }: WriteOptions): string {
  const { files, lists, links } = withSerials ? answers : hideIdentifiers(answers);
  const release = files.get("/proc/sys/kernel/osrelease");
  const document: CaptureDocument = {
    schema: CAPTURE_SCHEMA,
    createdWith,
    kernel: release ? Buffer.from(release).toString("utf8").trim() : null,
    identifiers: withSerials ? "plain" : "hashed",
    files: sorted(files, encodeContent),
    lists: sorted(lists, (names) => names),
    links: sorted(links, (real) => real ?? null),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function sorted<T, U>(answers: ReadonlyMap<string, T>, encode: (answer: T) => U): Record<string, U> {
  const entries = [...answers].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([path, answer]) => [path, encode(answer)]));
}
