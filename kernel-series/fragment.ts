// SPDX-License-Identifier: MIT
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { seriesFolder } from "./folders.ts";

export const fragmentNames = ["minimal", "lab"] as const;
export type FragmentName = (typeof fragmentNames)[number];

/** Options that belong together, and why they are there. */
export interface OptionGroup {
  readonly reason: string;
  readonly options: readonly { readonly name: string; readonly value: string }[];
}

/** The fragment as it is handed to the kernel's merge_config.sh. */
export function fragmentText(name: FragmentName, series = seriesFolder()): string {
  return readFileSync(join(series, "config", `${name}.config`), "utf8");
}

/** Paragraphs of comment lines followed by options; those without options are left out. */
export function parseFragment(text: string): OptionGroup[] {
  return text.split(/\n{2,}/).flatMap((paragraph): OptionGroup[] => {
    const lines = paragraph.split("\n");
    const options = lines.flatMap((line) => parseOption(line) ?? []);
    if (options.length === 0) return [];
    const comments = lines.filter((line) => line.startsWith("# ") && !parseOption(line));
    return [{ reason: comments.map((line) => line.slice(2)).join(" "), options }];
  });
}

function parseOption(line: string): { name: string; value: string } | undefined {
  const [, name, value] = /^(CONFIG_\w+)=(.*)$/.exec(line) ?? [];
  if (name !== undefined && value !== undefined) return { name, value };
  const [, off] = /^# (CONFIG_\w+) is not set$/.exec(line) ?? [];
  return off === undefined ? undefined : { name: off, value: "n" };
}

/**
 * The groups with the options that a configuration (names with `CONFIG_` to values) lacks. A module is as
 * good as built in, except for the lab: its guests have no modules.
 */
export function missingGroups(
  name: FragmentName,
  groups: readonly OptionGroup[],
  config: ReadonlyMap<string, string>,
): OptionGroup[] {
  const isThere = (wanted: string, actual: string) =>
    actual === wanted || (name !== "lab" && wanted === "y" && actual === "m");
  return groups.flatMap(({ reason, options }) => {
    const missing = options.filter((option) => !isThere(option.value, config.get(option.name) ?? "n"));
    return missing.length > 0 ? [{ reason, options: missing }] : [];
  });
}

/** A fragment of these groups, reasons as comments. */
export function renderFragment(groups: readonly OptionGroup[]): string {
  return groups
    .map(({ reason, options }) => `${wrapComment(reason)}\n${options.map(renderOption).join("\n")}\n`)
    .join("\n");
}

function renderOption({ name, value }: { name: string; value: string }): string {
  return value === "n" ? `# ${name} is not set` : `${name}=${value}`;
}

function wrapComment(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < 79) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`# ${word}`);
  }
  return lines.join("\n");
}
