// SPDX-License-Identifier: MIT

/** Says what a value must be; undefined when it is that. */
export type Check = (value: unknown) => string | undefined;

/** What each option must be. */
export type Checks<Options> = { readonly [Name in keyof Required<Options>]: Check };

/**
 * Checks what plain JavaScript may have got wrong: a misspelt option would be as good as none.
 * @throws TypeError
 */
export function checkOptions<Options extends object>(options: Options, checks: Checks<Options>): void {
  if (typeof options !== "object" || options === null) throw new TypeError("The options must be an object");
  for (const [name, value] of Object.entries(options)) {
    const check: Check | undefined = Object.hasOwn(checks, name) ? checks[name as keyof Options] : undefined;
    if (!check) throw new TypeError(`There is no option "${name}"`);
    const expected = value === undefined ? undefined : check(value);
    if (expected) throw new TypeError(`Option "${name}" must be ${expected}, not ${words(value)}`);
  }
}

function words(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  return typeof value === "string" ? `"${value}"` : String(value);
}

export const text: Check = (value) => (typeof value === "string" && value !== "" ? undefined : "a text");

export const flag: Check = (value) => (typeof value === "boolean" ? undefined : "true or false");

export const oneOf = (...allowed: (string | boolean)[]): Check => {
  return (value) => (allowed.some((one) => one === value) ? undefined : `one of ${allowed.join(", ")}`);
};

export const whole = (least: number, most: number): Check => {
  const expected = `a whole number from ${least} to ${most}`;
  return (value) =>
    Number.isInteger(value) && Number(value) >= least && Number(value) <= most ? undefined : expected;
};

/** Byte counts are bigint, so that nothing is rounded above 2^53. */
export const bytes = (least: bigint): Check => {
  const expected = `a bigint from ${least}n to 2n ** 63n - 1n`;
  return (value) => (typeof value === "bigint" && value >= least && value < 1n << 63n ? undefined : expected);
};

export const listOf = (check: Check, what: string): Check => {
  return (value) => (Array.isArray(value) && value.every((one) => !check(one)) ? undefined : what);
};

/** The first of them that is satisfied will do. */
export const either = (...checks: Check[]): Check => {
  return (value) => {
    const expected = checks.map((check) => check(value));
    return expected.includes(undefined) ? undefined : expected.join(", or ");
  };
};

export const signal: Check = (value) => (value instanceof AbortSignal ? undefined : "an AbortSignal");
