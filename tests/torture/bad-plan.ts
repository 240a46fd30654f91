// SPDX-License-Identifier: MIT
// Which sectors are bad, and how they are copied: decided by the seed alone, on the host and in the guest.
import type { MediumError } from "../../lab/topology.ts";
import { type Random, randomOf } from "../unit/random.ts";

const MIB = 1 << 20;
export const SECTOR = 512;
/** Every seed has a part of the drives to itself. */
const SLOT_BYTES = 4 * MIB;
export const PLANS_AT_ONCE = 8;

export interface BadPlan {
  readonly seed: number;
  readonly srcOffset: number;
  readonly dstOffset: number;
  readonly lengthBytes: number;
  /** Bytes from the start of the copy, of each sector that can't be read, or written. */
  readonly badReads: readonly number[];
  readonly badWrites: readonly number[];
  /** The errors pass: the copy stops at them, and a resume gets over them. */
  readonly passes: boolean;
  readonly chunkKiB: number;
  readonly movingMs: number;
}

/** Six tries of the kernel's driver, as often as the copy tries, and once more for a resume. */
const PASSING_TIMES = 6 * 3;

export function planBad(seed: number, slot: number): BadPlan {
  const random = randomOf(seed);
  const lengthBytes = (256 + random(512)) * 4096;
  const kind = random(4);
  const spots = (some: boolean) => (some ? badSectors(random, lengthBytes) : []);
  return {
    ...{ seed, lengthBytes },
    srcOffset: slot * SLOT_BYTES + random(32) * 4096,
    dstOffset: slot * SLOT_BYTES + random(32) * 4096,
    badReads: spots(kind !== 1),
    badWrites: spots(kind === 1 || kind === 2),
    passes: kind === 3,
    chunkKiB: 4 << random(6),
    movingMs: 400 + random(1200),
  };
}

/** One to four places of one to three sectors. */
function badSectors(random: Random, lengthBytes: number): number[] {
  const sectors = lengthBytes / SECTOR;
  const found = Array.from({ length: 1 + random(4) }, () => {
    const first = random(sectors);
    const count = Math.min(1 + random(3), sectors - first);
    return Array.from({ length: count }, (_, n) => (first + n) * SECTOR);
  });
  return [...new Set(found.flat())].sort((a, b) => a - b);
}

/** What QEMU has to answer with on one of the drives. */
export function errorsOf(plans: readonly BadPlan[], on: "read" | "write"): MediumError[] {
  return plans.flatMap(({ badReads, badWrites, srcOffset, dstOffset, passes }) => {
    const [spots, base] = on === "read" ? [badReads, srcOffset] : [badWrites, dstOffset];
    const times = passes ? { times: PASSING_TIMES } : {};
    return spots.map((at) => ({ on, sector: (base + at) / SECTOR, ...times }));
  });
}
