// SPDX-License-Identifier: MIT

/** PCI address with its domain, lower case: `0000:03:00.0`. Made only by parseBdf. */
export type Bdf = string & { readonly __brand: "Bdf" };

const PATTERN = /^(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([01][0-9a-f])\.([0-7])$/;

/** Reads `0000:03:00.0` or `03:00.0`; undefined when it is no PCI address. */
export function parseBdf(text: string): Bdf | undefined {
  const match = PATTERN.exec(text.toLowerCase());
  return match ? (`${match[1] ?? "0000"}:${match[2]}:${match[3]}.${match[4]}` as Bdf) : undefined;
}
