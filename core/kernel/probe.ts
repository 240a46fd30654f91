// SPDX-License-Identifier: MIT

/**
 * A question to a source tree, as data. `in` names the files where mainline has it; when it is in none of
 * them, the folders around are searched, since trees move code. Patterns see code only, no comments.
 */
export type Probe =
  | FunctionProbe
  | TextProbe
  | FieldProbe
  | OptionProbe
  | { readonly all: readonly Probe[] }
  | { readonly any: readonly Probe[] }
  | { readonly without: FunctionProbe | TextProbe };

/** A function of one of these names is defined, and its parameters and body are as they have to be. */
export interface FunctionProbe {
  readonly fn: string | readonly string[];
  readonly in: readonly string[];
  readonly parameters?: RegExp;
  readonly body?: RegExp;
}

/** One of these files has code that matches. The folders around are not searched: it could be anything there. */
export interface TextProbe {
  readonly code: RegExp;
  readonly in: readonly string[];
}

/** The initialiser of a variable sets something. */
export interface FieldProbe {
  readonly variable: string;
  readonly sets: RegExp;
  readonly in: readonly string[];
}

/** Kconfig knows the option. */
export interface OptionProbe {
  readonly option: string;
  readonly in: readonly string[];
}

/** What a probe saw. `unknown`: the place where it would be is not there to be looked at. */
export interface Sight {
  readonly state: "present" | "absent" | "unknown";
  /** File and line, or what was looked for. */
  readonly where: string;
}
