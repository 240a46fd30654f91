// SPDX-License-Identifier: MIT

/** The value that a bare `--allow-write` stands for. */
export const ALL_DEVICES = "*";

/**
 * Gives a bare `--allow-write` its value. An option with an optional value would
 * otherwise swallow the argument behind it, and that is the source of the copy.
 */
export function expandBareOptions(argv: readonly string[]): string[] {
  const end = argv.indexOf("--");
  const own = end < 0 ? argv.length : end;
  return argv.map((arg, index) => (index < own && arg === "--allow-write" ? `${arg}=${ALL_DEVICES}` : arg));
}
