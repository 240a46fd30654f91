// SPDX-License-Identifier: MIT
// Does a command print what the text says? `...` stands for anything: alone in a line for lines, else within one.

/** What differs from run to run, and what stands for it in the comparison. */
const VOLATILE: readonly (readonly [RegExp, string])[] = [
  [/\b[0-9a-f]{64}\b/g, "SHA256"],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "UUID"],
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?/g, "DATE"],
  [/\b\d+(\.\d+)? ?([KMGT]i?)?B\/s/g, "SPEED"],
  [/\b\d+(\.\d+)? ?(ns|µs|us|ms|s|min|h)\b/g, "TIME"],
  [/\b\d+ chunks of/g, "N chunks of"],
  [/--[0-9a-f]{12}\.journal/g, "--HASH.journal"],
  [/[ \t]+/g, " "],
  [/-{3,}|─{3,}/g, "---"],
];

const ANY_LINES = "\u0001";
const ANY_TEXT = "\u0002";

/** undefined when it fits, else what to say about it. */
export function difference(expected: readonly string[], actual: string): string | undefined {
  if (expected.length === 0) return undefined;
  const printed = actual
    .trimEnd()
    .split("\n")
    .map((line) => steady(line).trimEnd());
  if (pattern(expected).test(printed.join("\n"))) return undefined;
  return `the text shows:\n${indent(expected)}\nit printed:\n${indent(actual.trimEnd().split("\n"))}`;
}

function pattern(expected: readonly string[]): RegExp {
  const marked = expected.map((line) =>
    line.trim() === "..." ? ANY_LINES : steady(line.replaceAll("...", ANY_TEXT)).trimEnd(),
  );
  const parts = marked.map((line) => literally(line));
  const source = parts
    .join("\n")
    .replaceAll(`\n${ANY_LINES}\n`, "\n(?:.*\n)*?")
    .replaceAll(`${ANY_LINES}\n`, "(?:.*\n)*?")
    .replaceAll(`\n${ANY_LINES}`, "(?:\n.*)*")
    .replaceAll(ANY_LINES, "[\\s\\S]*")
    .replaceAll(ANY_TEXT, ".*");
  return new RegExp(`^${source}$`);
}

function steady(line: string): string {
  return VOLATILE.reduce((text, [shape, word]) => text.replace(shape, word), line);
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

function indent(lines: readonly string[]): string {
  return lines.map((line) => `    ${line}`).join("\n");
}
