// SPDX-License-Identifier: MIT
import type { MemoryPattern } from "../../ffi/index.ts";
import { usageError } from "../errors.ts";

const HINT = "patterns are zeros, ones, random:SEED, or 1, 2, 4 or 8 bytes in hexadecimal, as aa or deadbeef";

/**
 * Reads what to fill memory with: `zeros`, `ones`, `random:SEED`, or bytes in hexadecimal that are repeated,
 * the first one at the lowest address.
 * @throws P2pdmaError USAGE
 */
export function parsePattern(text: string, what = "--pattern"): MemoryPattern {
  const lower = text.toLowerCase();
  if (lower === "zeros") return { kind: "constant", seed: 0n };
  if (lower === "ones") return { kind: "constant", seed: (1n << 64n) - 1n };
  if (lower.startsWith("random:")) return { kind: "random", seed: parseSeed(lower.slice(7), what) };
  const hex = lower.replace(/^0x/, "");
  if (!/^([0-9a-f]{2}|[0-9a-f]{4}|[0-9a-f]{8}|[0-9a-f]{16})$/.test(hex)) {
    throw usageError(`${what}: "${text}" is no pattern`, HINT);
  }
  return { kind: "constant", seed: Buffer.from(hex.repeat(16 / hex.length), "hex").readBigUInt64LE() };
}

/** A seed of random numbers: 0 to 2^64-1, decimal or 0x hexadecimal. @throws P2pdmaError USAGE */
export function parseSeed(text: string, what: string): bigint {
  const seed = /^(\d+|0x[0-9a-f]+)$/i.test(text) ? BigInt(text) : undefined;
  if (seed === undefined || seed >= 1n << 64n) {
    throw usageError(`${what}: "${text}" is no seed`, "a seed is a whole number from 0 to 2^64-1");
  }
  return seed;
}
