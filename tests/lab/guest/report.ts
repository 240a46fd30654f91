// SPDX-License-Identifier: MIT
// Runs inside the guest: many checks in one boot, one JSON line for each.

export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** Runs a check and prints its result; an exception is a failure, and the next check goes on. */
export async function check(name: string, action: () => void | Promise<void>): Promise<void> {
  let result: CheckResult = { name, ok: true, detail: "" };
  try {
    await action();
  } catch (error) {
    result = {
      name,
      ok: false,
      detail: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

export function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}
