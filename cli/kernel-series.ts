// SPDX-License-Identifier: MIT
import { usageError } from "../core/errors.ts";
import {
  ancestors,
  dependants,
  type Episode,
  type Revision,
  revisions,
  type SeriesPatch,
  type Source,
  seriesPatches,
  successors,
} from "../kernel-series/series/index.ts";
import type { CliContext } from "./context.ts";
import { plainTable } from "./table.ts";

export interface SeriesOptions {
  readonly history?: boolean;
  readonly json?: boolean;
}

/** @throws P2pdmaError USAGE when there is no patch of that number */
export function showSeries(context: CliContext, number: string | undefined, options: SeriesOptions): void {
  if (number !== undefined && options.history) throw usageError("--history is about the whole series");
  const patch = number === undefined ? undefined : findPatch(number);
  if (options.json) context.out(`${JSON.stringify(seriesJson(patch), null, 2)}\n`);
  else if (options.history) context.out(renderHistory());
  else context.out(patch ? renderPatch(patch) : renderSeries());
}

function findPatch(text: string): SeriesPatch {
  const patch = seriesPatches.find(({ number }) => String(number) === text);
  if (!patch) throw usageError(`There is no patch "${text}": the series has 1 to ${seriesPatches.length}`);
  return patch;
}

function seriesJson(patch: SeriesPatch | undefined) {
  const describe = (one: SeriesPatch) => ({
    ...one,
    mainline: one.mainline ?? null,
    feature: one.feature ?? null,
    neededBy: dependants(one.number),
  });
  const schema = "p2pdma.kernel-series/1";
  if (patch) return { schema, patch: describe(patch) };
  return { schema, patches: seriesPatches.map(describe), revisions, ancestors, successors };
}

/** One line a patch. */
export function renderSeries(): string {
  const rows = seriesPatches.map(({ number, subsystem, title, fate, mainline, needs }) => [
    ...[String(number), subsystem, title, fate, mainline ?? "-", needs.join(", ") || "-"],
  ]);
  const table = plainTable(["NR", "SUBSYSTEM", "PATCH", "FATE", "MAINLINE", "NEEDS"], rows);
  return `${table}\nOne of them in full: p2pdma kernel series NR. What came before and after: --history.\n`;
}

export function renderPatch(patch: SeriesPatch): string {
  const after = dependants(patch.number);
  const fields: [string, string][] = [
    ["author", patch.author],
    ["subsystem", patch.subsystem],
    ["purpose", patch.purpose],
    ["needs", patch.needs.join(", ") || "none of the series"],
    ["needed by", after.join(", ") || "none of the series"],
    ["fate", `${patch.fate}: ${patch.outcome}`],
    ["mainline", patch.mainline ?? "never"],
    ...patch.changes.map((text): [string, string] => ["later", text]),
    ["status", patch.feature === undefined ? "no probe" : `feature ${patch.feature} of p2pdma kernel status`],
    ...patch.sources.map((source): [string, string] => ["source", renderSource(source)]),
  ];
  return `Patch ${patch.number} of 24: ${patch.title}\n\n${renderFields(fields)}`;
}

export function renderHistory(): string {
  return [
    `Before the series\n\n${ancestors.map(renderEpisode).join("\n")}`,
    `Its versions\n\n${revisions.map(renderRevision).join("\n")}`,
    `After it\n\n${successors.map(renderEpisode).join("\n")}`,
  ].join("\n");
}

function renderEpisode({ when, title, what, mainline, sources }: Episode): string {
  const release = mainline === undefined ? "" : `, Linux ${mainline}`;
  return renderDated(`${when}${release}: ${title}`, [["", what], ...sourceFields(sources)]);
}

function renderRevision({ name, date, base, what, interface: seen, sources }: Revision): string {
  const onto = base === undefined ? "" : `, on ${base}`;
  const changed: [string, string][] = seen === undefined ? [] : [["interface", seen]];
  return renderDated(`${name}, ${date}${onto}`, [["", what], ...changed, ...sourceFields(sources)]);
}

function renderDated(head: string, fields: [string, string][]): string {
  return `${head}\n${renderFields(fields)}`;
}

function sourceFields(sources: readonly Source[]): [string, string][] {
  return sources.map((source): [string, string] => ["source", renderSource(source)]);
}

const TRUST: Readonly<Record<Source["trust"], string>> = {
  code: "read in the code",
  mail: "said in the mail",
  noted: "noted, not looked up again",
  inferred: "inferred",
  unverified: "NOT VERIFIED",
};

function renderSource({ trust, text }: Source): string {
  return `${TRUST[trust]}: ${text}`;
}

const WIDTH = 100;
const LABEL = 12;

function renderFields(fields: readonly [string, string][]): string {
  return fields.map(([label, text]) => `  ${label.padEnd(LABEL)}${wrap(text)}\n`).join("");
}

function wrap(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < WIDTH - LABEL)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join(`\n${" ".repeat(LABEL + 2)}`);
}
