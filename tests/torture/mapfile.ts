// SPDX-License-Identifier: MIT
import { SECTOR } from "./bad-plan.ts";

interface MapBlock {
  readonly offset: number;
  readonly lengthBytes: number;
  readonly status: string;
}

/** A GNU ddrescue mapfile: comments, one line of state, then position, size and status of each block. */
export function parseMapfile(text: string): MapBlock[] {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return lines.slice(1).map((line) => {
    const [offset, lengthBytes, status = ""] = line.trim().split(/\s+/);
    return { offset: Number(offset), lengthBytes: Number(lengthBytes), status };
  });
}

/** What is wrong with a map that is to name exactly these sectors of the source as bad; undefined when nothing is. */
export function mapFault(
  text: string,
  range: { readonly offset: number; readonly lengthBytes: number },
  bad: readonly number[],
): string | undefined {
  const blocks = parseMapfile(text);
  let at = range.offset;
  for (const { offset, lengthBytes, status } of blocks) {
    if (offset !== at) return `the mapfile has a gap at ${at}`;
    if (!"+-".includes(status)) return `the mapfile says "${status}" of ${offset}`;
    at += lengthBytes;
  }
  if (at !== range.offset + range.lengthBytes) return `the mapfile ends at ${at}`;
  const named = blocks.filter(({ status }) => status === "-").flatMap(sectorsOf);
  const wanted = [...bad].sort((a, b) => a - b);
  return String(named) === String(wanted) ? undefined : `the mapfile names ${named}, not ${wanted}`;
}

function sectorsOf({ offset, lengthBytes }: MapBlock): number[] {
  return Array.from({ length: Math.ceil(lengthBytes / SECTOR) }, (_, n) => offset + n * SECTOR);
}
