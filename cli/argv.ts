// SPDX-License-Identifier: MIT

/** The value that a bare `--allow-write` stands for. */
export const ALL_DEVICES = "*";

/** Options whose value may be left out, and what stands for it then. */
const BARE_VALUES: Readonly<Record<string, string>> = { "--allow-write": ALL_DEVICES, "--verify": "after" };

/**
 * Gives a bare `--allow-write` or `--verify` its value. An option with an optional value would
 * otherwise swallow the argument behind it, and that is the source of the copy.
 */
export function expandBareOptions(argv: readonly string[]): string[] {
  const end = argv.indexOf("--");
  const own = end < 0 ? argv.length : end;
  return argv.map((arg, index) => {
    const value = index < own ? BARE_VALUES[arg] : undefined;
    return value === undefined ? arg : `${arg}=${value}`;
  });
}
