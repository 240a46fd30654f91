// SPDX-License-Identifier: MIT
import type { Endpoint } from "../copy/endpoint.ts";
import type { CopyRange } from "../copy/range.ts";

/** What a copy reads or writes, comparable with what others do. */
export interface Region {
  /** The same for all names of one disk or file. */
  readonly medium: string;
  readonly start: bigint;
  /** Exclusive; undefined: to the end, wherever that is. */
  readonly end: bigint | undefined;
}

export interface Claims {
  readonly name: string;
  readonly after: readonly string[];
  readonly reads: Region;
  readonly writes: Region;
}

export interface Conflict {
  readonly first: string;
  /** The later one of the plan: that is where the conflict is shown. */
  readonly second: string;
  /** Of the first, then of the second. */
  readonly kind: "write-write" | "read-write" | "write-read";
}

export function readRegion(src: Endpoint, range: CopyRange): Region {
  const start = baseOf(src) + range.srcOffset;
  return { medium: mediumOf(src), start, end: start + range.lengthBytes };
}

/** @param isPlaced the copy was given a start on the destination; else a file ends with the copy, so all of it is written. */
export function writeRegion(dst: Endpoint, range: CopyRange, isPlaced: boolean): Region {
  const start = baseOf(dst) + range.dstOffset;
  const isWhole = dst.kind === "file" && !isPlaced;
  return { medium: mediumOf(dst), start, end: isWhole ? undefined : start + range.lengthBytes };
}

/**
 * Pairs that touch the same bytes, at least one of them writing, without an order between them.
 * @param all in the order of the plan
 */
export function findConflicts(all: readonly Claims[]): Conflict[] {
  const order = new Order(all);
  const touched = new Map<string, { claims: Claims; index: number }[]>();
  for (const [index, claims] of all.entries()) {
    for (const medium of new Set([claims.reads.medium, claims.writes.medium])) {
      touched.set(medium, [...(touched.get(medium) ?? []), { claims, index }]);
    }
  }
  const found = new Map<string, Conflict>();
  for (const group of touched.values()) {
    for (const [at, second] of group.entries()) {
      for (const first of group.slice(0, at)) {
        const kind = collision(first.claims, second.claims);
        const key = `${first.index} ${second.index}`;
        if (!kind || found.has(key) || order.isOrdered(first.claims.name, second.claims.name)) continue;
        found.set(key, { first: first.claims.name, second: second.claims.name, kind });
      }
    }
  }
  return [...found.values()];
}

function collision(first: Claims, second: Claims): Conflict["kind"] | undefined {
  if (overlap(first.writes, second.writes)) return "write-write";
  if (overlap(first.writes, second.reads)) return "write-read";
  return overlap(first.reads, second.writes) ? "read-write" : undefined;
}

function overlap(a: Region, b: Region): boolean {
  if (a.medium !== b.medium || a.start === a.end || b.start === b.end) return false;
  return (b.end === undefined || a.start < b.end) && (a.end === undefined || b.start < a.end);
}

function mediumOf({ kind, device, inode, path }: Endpoint): string {
  if (kind === "block") return `disk ${device?.disk ?? path}`;
  return `file ${inode ?? path}`;
}

function baseOf({ kind, device }: Endpoint): bigint {
  return kind === "block" ? (device?.startBytes ?? 0n) : 0n;
}

/** Who comes after whom, through others too. */
class Order {
  private readonly before: ReadonlyMap<string, readonly string[]>;
  private readonly known = new Map<string, ReadonlySet<string>>();

  constructor(all: readonly Claims[]) {
    this.before = new Map(all.map(({ name, after }) => [name, after]));
  }

  isOrdered(a: string, b: string): boolean {
    return this.allBefore(a).has(b) || this.allBefore(b).has(a);
  }

  private allBefore(name: string): ReadonlySet<string> {
    const known = this.known.get(name);
    if (known) return known;
    const found = new Set<string>();
    const stack = [...(this.before.get(name) ?? [])];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      if (found.has(next)) continue;
      found.add(next);
      stack.push(...(this.before.get(next) ?? []));
    }
    this.known.set(name, found);
    return found;
  }
}
