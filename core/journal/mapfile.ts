// SPDX-License-Identifier: MIT
import { VERSION } from "../version.ts";

/** What is known of a part of the source. */
export type MapStatus = "finished" | "bad" | "untried";

export interface MapRange {
  readonly offset: bigint;
  readonly lengthBytes: bigint;
  readonly status: MapStatus;
}

const LETTERS: Readonly<Record<MapStatus, string>> = { finished: "+", bad: "-", untried: "?" };

/** How every mapfile begins, ddrescue's too. */
export const MAPFILE_HEAD = "# Mapfile.";

/**
 * A mapfile as GNU ddrescue reads and writes it (its manual, "Mapfile structure"): a line with the
 * position and state of the run, then position, size and status of every part of the source, in bytes.
 */
export function renderMapfile(ranges: readonly MapRange[]): string {
  const isOver = ranges.every(({ status }) => status !== "untried");
  const end = ranges.at(-1);
  const position = end ? end.offset + end.lengthBytes : 0n;
  const rows = ranges.map(
    ({ offset, lengthBytes, status }) => `${hex(offset)}  ${hex(lengthBytes)}  ${LETTERS[status]}`,
  );
  return [
    `${MAPFILE_HEAD} Created by p2pdma ${VERSION}`,
    "# current_pos  current_status  current_pass",
    `${hex(position)}     ${isOver ? "+" : "?"}               1`,
    "#      pos        size  status",
    ...rows,
    "",
  ].join("\n");
}

function hex(value: bigint): string {
  return `0x${value.toString(16).toUpperCase().padStart(8, "0")}`;
}

/** A stretch of the source in bytes. */
interface Stretch {
  readonly srcOffset: bigint;
  readonly lengthBytes: bigint;
}

/**
 * Cuts a range of the source into parts of known state, in order and without gaps.
 * @param rest the state of what is neither finished nor bad
 */
export function mapOf(
  { srcOffset: start, lengthBytes: length }: Stretch,
  finished: readonly Stretch[],
  bad: readonly Stretch[],
  rest: MapStatus,
): MapRange[] {
  const known = [
    ...finished.map((range) => ({ ...range, status: "finished" as const })),
    ...bad.map((range) => ({ ...range, status: "bad" as const })),
  ].sort((a, b) => (a.srcOffset < b.srcOffset ? -1 : 1));
  const ranges: MapRange[] = [];
  const push = (offset: bigint, lengthBytes: bigint, status: MapStatus) => {
    const last = ranges.at(-1);
    if (lengthBytes <= 0n) return;
    if (last?.status !== status) ranges.push({ offset, lengthBytes, status });
    else ranges[ranges.length - 1] = { ...last, lengthBytes: last.lengthBytes + lengthBytes };
  };
  let at = start;
  for (const { srcOffset, lengthBytes, status } of known) {
    push(at, srcOffset - at, rest);
    push(srcOffset, lengthBytes, status);
    at = srcOffset + lengthBytes;
  }
  push(at, start + length - at, rest);
  return ranges;
}
