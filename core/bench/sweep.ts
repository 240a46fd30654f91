// SPDX-License-Identifier: MIT
import { usageError } from "../errors.ts";
import { parseSize } from "../units.ts";

/** A sweep doubles, so this is far more than any needs. */
const MOST_VALUES = 64;

/**
 * Parses `4k..1m` (doubling), `4k,64k,1m`, or both mixed: `4k,16k..64k`.
 * @param what names the option in the error.
 * @returns the values in ascending order, each once.
 * @throws P2pdmaError USAGE
 */
export function parseSweep(text: string, what: string): number[] {
  const values = text.split(",").flatMap((part) => parsePart(part.trim(), what));
  const distinct = [...new Set(values)].sort((a, b) => a - b);
  if (distinct.length > MOST_VALUES)
    throw usageError(`${what}: "${text}" is more than ${MOST_VALUES} values`);
  return distinct;
}

function parsePart(part: string, what: string): number[] {
  const [first = "", last, ...more] = part.split("..");
  if (more.length > 0) throw usageError(`${what}: "${part}" is no range`, "ranges look like 4k..1m");
  const from = parseWhole(first, what);
  if (last === undefined) return [from];
  const to = parseWhole(last, what);
  if (from === 0 || to < from) throw usageError(`${what}: "${part}" goes nowhere`, "ranges look like 4k..1m");
  const values: number[] = [];
  for (let value = from; value <= to; value *= 2) values.push(value);
  return values;
}

function parseWhole(text: string, what: string): number {
  const value = parseSize(text, what);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw usageError(`${what}: "${text}" is too large`);
  return Number(value);
}
