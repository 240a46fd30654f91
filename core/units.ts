// SPDX-License-Identifier: MIT
import { usageError } from "./errors.ts";

/** Binary: bare letters and IEC names. Decimal: SI names with a B. Each suffix has one meaning. */
const MULTIPLIERS: Readonly<Record<string, bigint>> = {
  "": 1n,
  b: 1n,
  ...scale(1024n, (letter) => [letter, `${letter}ib`]),
  ...scale(1000n, (letter) => [`${letter}b`]),
};

function scale(base: bigint, names: (letter: string) => string[]): Record<string, bigint> {
  const entries = [..."kmgtpe"].flatMap((letter, index) =>
    names(letter).map((name) => [name, base ** BigInt(index + 1)] as const),
  );
  return Object.fromEntries(entries);
}

/**
 * Parses a size such as `64MiB`, `128k`, `4096`, `1.5G`.
 * @param what names the option in the error.
 * @throws P2pdmaError USAGE for anything else, negative sizes and fractions of a byte included.
 */
export function parseSize(text: string, what: string): bigint {
  const match = /^(\d+)(?:\.(\d+))?\s*([A-Za-z]*)$/.exec(text.trim());
  const multiplier = match ? MULTIPLIERS[(match[3] ?? "").toLowerCase()] : undefined;
  if (!match || multiplier === undefined) {
    throw usageError(
      `${what}: "${text}" is no size`,
      "sizes look like 4096, 128k, 64MiB (binary) or 10GB (decimal)",
    );
  }
  const fraction = match[2] ?? "";
  const scaled = BigInt(`${match[1]}${fraction}`) * multiplier;
  const divisor = 10n ** BigInt(fraction.length);
  if (scaled % divisor !== 0n) throw usageError(`${what}: "${text}" is no whole number of bytes`);
  if (scaled / divisor >= 1n << 63n) throw usageError(`${what}: "${text}" is larger than any device`);
  return scaled / divisor;
}

/** Bytes in IEC units with three significant digits, exact where it is: `64 MiB`, `1.91 MiB`, `511 B`. */
export function formatBytes(bytes: bigint | number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  let value = Number(bytes);
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = Number.isInteger(value) ? 0 : Math.max(0, 2 - Math.floor(Math.log10(value)));
  return `${value.toFixed(digits)} ${units[unit]}`;
}

const DURATION_UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Parses a time such as `90s`, `10m`, `1h30m`, `500ms`; a bare number counts seconds.
 * @returns milliseconds, at least 1
 * @throws P2pdmaError USAGE for anything else
 */
export function parseDuration(text: string, what: string): number {
  const wrong = usageError(`${what}: "${text}" is no time`, "times look like 90s, 10m or 1h30m");
  const parts = /^\d+(\.\d+)?$/.test(text) ? [`${text}s`] : (text.match(/\d+(\.\d+)?(ms|[smhd])/g) ?? []);
  if (parts.length === 0 || (parts.join("") !== text && parts[0] !== `${text}s`)) throw wrong;
  const total = parts.reduce((sum, part) => {
    const [, number = "", unit = ""] = /^([\d.]+)(\w+)$/.exec(part) ?? [];
    return sum + Number(number) * (DURATION_UNITS_MS[unit] ?? Number.NaN);
  }, 0);
  // Timers count milliseconds in 31 bits.
  if (!(total >= 1 && total < 2 ** 31)) throw wrong;
  return Math.round(total);
}
