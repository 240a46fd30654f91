// SPDX-License-Identifier: MIT

/** Where values lie along an axis. */
export interface Scale {
  /** 0 at its start, 1 at its end. */
  at(value: number): number;
  readonly ticks: readonly { readonly value: number; readonly label: string }[];
}

/** Equal steps for doublings, as depths and chunk sizes have; a tick for each value. */
export function doublingScale(values: readonly number[], label: (value: number) => string): Scale {
  const sorted = [...new Set(values)].sort((a, b) => a - b);
  const [from, to] = [Math.log2(sorted[0] ?? 1), Math.log2(sorted.at(-1) ?? 2)];
  const at = (value: number) => (to === from ? 0.5 : (Math.log2(value) - from) / (to - from));
  return { at, ticks: thin(sorted, MOST_TICKS).map((value) => ({ value, label: label(value) })) };
}

/** From 0 to a round number above all values. */
export function linearScale(most: number, units: readonly number[], label: (value: number) => string): Scale {
  const step = roundStep(most / 4, units);
  const end = Math.max(step, Math.ceil(most / step - 1e-9) * step);
  const count = Math.round(end / step);
  const ticks = Array.from({ length: count + 1 }, (_, index) => index * step);
  return { at: (value) => value / end, ticks: ticks.map((value) => ({ value, label: label(value) })) };
}

/** Equal steps for each power of ten, with ticks at 1, 2 and 5 where there is room. */
export function logScale(least: number, most: number, label: (value: number) => string): Scale {
  const steps = [...tensBetween(least, most, [1, 2, 5])];
  const [first = 1, last = 10] = [steps[0], steps.at(-1)];
  const [from, to] = [Math.log10(first), Math.log10(last)];
  const tens = [...tensBetween(first, last, [1])].filter((value) => value >= first && value <= last);
  const shown = steps.length <= MOST_TICKS ? steps : tens;
  const at = (value: number) => (to === from ? 0.5 : (Math.log10(Math.max(value, 1)) - from) / (to - from));
  return { at, ticks: shown.map((value) => ({ value, label: label(value) })) };
}

/** Percentiles by their number of nines, from 0 to the last one that is known. */
export function ninesScale(most: number): Scale {
  const nines = (percentile: number) => Math.log10(100 / (100 - Math.min(percentile, LAST_PERCENTILE)));
  const end = Math.max(1, nines(most));
  const known = [0, 50, 90, 99, 99.9, 99.99, 99.999, LAST_PERCENTILE].filter((at) => nines(at) <= end * 1.02);
  return { at: (value) => nines(value) / end, ticks: known.map((value) => ({ value, label: `${value} %` })) };
}

const MOST_TICKS = 9;
const LAST_PERCENTILE = 99.9999;

/** Every first, second or third of the values, the last one always among them. */
function thin(values: readonly number[], most: number): number[] {
  const every = Math.ceil(values.length / most);
  return values.filter((_, index) => (values.length - 1 - index) % every === 0);
}

/** The smallest round step that is no smaller: 1, 2, 2.5 or 5 of some unit, times ten. */
function roundStep(least: number, units: readonly number[]): number {
  const unit = units.filter((size) => size <= least).at(-1) ?? units[0] ?? 1;
  const steps = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000];
  const step = steps.find((factor) => factor * unit >= least) ?? 10 ** Math.ceil(Math.log10(least / unit));
  return step * unit;
}

/** The last below `least`, all between, the first above `most`. */
function* tensBetween(least: number, most: number, factors: readonly number[]): Generator<number> {
  const all: number[] = [];
  for (let power = 0; power < 14; power++) for (const factor of factors) all.push(factor * 10 ** power);
  const from = Math.max(
    0,
    all.findLastIndex((value) => value <= least),
  );
  const to = all.findIndex((value, at) => value >= most && at > from);
  yield* all.slice(from, (to < 0 ? all.length : to) + 1);
}
