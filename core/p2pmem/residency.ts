// SPDX-License-Identifier: MIT
import type { PciResource } from "../pci/device.ts";

/** A stretch of physical memory in bytes; `end` is exclusive. */
export interface PhysicalRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** Where a staging buffer's pages are, by the kernel's own word. */
export type Residency =
  | { readonly checked: false; readonly reason: string }
  | {
      readonly checked: true;
      /** True when every page lies inside one of the provider's BARs. */
      readonly inside: boolean;
      readonly pages: number;
      readonly ranges: readonly PhysicalRange[];
      /** The BAR that holds the first page; undefined when none does. */
      readonly bar: PciResource | undefined;
    };

/**
 * Judges page frames against a provider's memory windows.
 * @param frames page frame numbers, 0n for a page that is not present; undefined when the kernel hides them.
 */
export function judgeResidency(
  frames: readonly bigint[] | undefined,
  resources: readonly PciResource[],
  pageBytes: number,
): Residency {
  if (!frames) return { checked: false, reason: "needs CAP_SYS_ADMIN" };
  const page = BigInt(pageBytes);
  const barOf = (frame: bigint) =>
    resources.find(({ start, end }) => frame * page >= start && (frame + 1n) * page - 1n <= end);
  return {
    checked: true,
    inside: frames.every((frame) => barOf(frame) !== undefined),
    pages: frames.length,
    ranges: mergeFrames(frames, page),
    bar: frames[0] === undefined ? undefined : barOf(frames[0]),
  };
}

function mergeFrames(frames: readonly bigint[], page: bigint): PhysicalRange[] {
  const sorted = [...frames].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const ranges: { start: bigint; end: bigint }[] = [];
  for (const frame of sorted) {
    const last = ranges.at(-1);
    if (last && last.end === frame * page) last.end += page;
    else ranges.push({ start: frame * page, end: (frame + 1n) * page });
  }
  return ranges;
}
