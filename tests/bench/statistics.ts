// SPDX-License-Identifier: MIT

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** `median (least-most)`. */
export function withSpread(values: readonly number[], digits: number): string {
  const [least, most] = [Math.min(...values), Math.max(...values)].map((value) => value.toFixed(digits));
  return `${median(values).toFixed(digits)} (${least}-${most})`;
}

/** Median of the rounds' own ratios, so that what drifts from round to round cancels out. */
export function ratioOf(ours: readonly number[], theirs: readonly number[]): number {
  return median(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)));
}

/** What each contestant measured, by name, round after round; every other round goes backwards. */
export async function inTurns<T>(
  rounds: number,
  contestants: Readonly<Record<string, () => Promise<T>>>,
): Promise<Readonly<Record<string, T[]>>> {
  const names = Object.keys(contestants);
  const results: Record<string, T[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const measured = await contestants[name]?.();
      if (measured !== undefined) results[name]?.push(measured);
    }
  }
  return results;
}
