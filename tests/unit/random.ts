// SPDX-License-Identifier: MIT

/** A whole number from 0 to below the one given. */
export type Random = (below: number) => number;

/** A small random number generator (mulberry32), so that a failure can be repeated. */
export function randomOf(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
