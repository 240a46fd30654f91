// SPDX-License-Identifier: MIT

/**
 * Our own program as a command, up to its subcommand: node with its options, and the script.
 * The standalone program has its own form of this file.
 */
export function ownCommand(): string[] {
  return [process.execPath, ...process.execArgv, process.argv[1] ?? ""];
}
