// SPDX-License-Identifier: MIT
import type { Facts } from "./facts.ts";

/** unknown: it matters and could not be seen. Never a pass for want of knowledge. */
export type Status = "pass" | "warn" | "fail" | "unknown";

/** What would make a finding go away. */
export interface Fix {
  /** What to do: one sentence, without a full stop. */
  readonly text: string;
  /** To be typed by root, or lines for the file that the text names. */
  readonly commands: readonly string[];
  /** What it costs. */
  readonly warning?: string | undefined;
}

export interface Finding {
  readonly status: Status;
  /** What was found, with the device's name: one sentence, without a full stop. */
  readonly what: string;
  /** Easiest first; none for a pass. */
  readonly fixes: readonly Fix[];
}

/** One precondition of peer-to-peer DMA. */
export interface Check {
  /** Stable: scripts match it. */
  readonly id: string;
  /** What has to hold. */
  readonly title: string;
  /** What one sees when it does not. */
  readonly symptom: string;
  /** Why it matters: one sentence, without a full stop. */
  readonly why: string;
  /** Judges; no finding means that it does not apply here. */
  readonly examine: (facts: Facts) => readonly Finding[];
}

export function pass(what: string): Finding {
  return { status: "pass", what, fixes: [] };
}

export function warn(what: string, ...fixes: readonly Fix[]): Finding {
  return { status: "warn", what, fixes };
}

export function fail(what: string, ...fixes: readonly Fix[]): Finding {
  return { status: "fail", what, fixes };
}

export function unknown(what: string, ...fixes: readonly Fix[]): Finding {
  return { status: "unknown", what, fixes };
}

export function fix(text: string, ...commands: readonly string[]): Fix {
  return { text, commands };
}

/** A fault that leaves other ways open is a warning; one that leaves none is a failure. */
export function failUnless(isSpare: boolean, what: string, ...fixes: readonly Fix[]): Finding {
  return isSpare ? warn(what, ...fixes) : fail(what, ...fixes);
}

/** `a`, `a and b`, `a, b and 3 more` */
export function listWords(words: readonly string[], most = 4): string {
  const hidden = words.length - most;
  const shown = hidden > 1 ? [...words.slice(0, most), `${hidden} more`] : words;
  return shown.length < 2 ? shown.join("") : `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}
