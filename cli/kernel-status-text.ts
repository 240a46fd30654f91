// SPDX-License-Identifier: MIT
import { type FeatureState, type Finding, useTitles, type Verdict } from "../core/kernel/index.ts";
import type { KernelStatus } from "./kernel-status.ts";
import { plainTable } from "./table.ts";

const STATES: Readonly<Record<FeatureState, string>> = {
  present: "present",
  absent: "absent",
  unknown: "can't tell",
};
const ANSWERS: Readonly<Record<FeatureState, string>> = {
  present: "yes",
  absent: "no",
  unknown: "can't tell",
};
const KINDS: Readonly<Record<KernelStatus["kind"], string>> = {
  running: "running here",
  source: "by the code in",
  config: "by the configuration",
};

/** What the kernel is good for, feature by feature, and what is behind those that are not there. */
export function renderKernelStatus(status: KernelStatus, isVerbose: boolean): string {
  const shown = status.findings.filter(({ state, off }) => isVerbose || (state !== "present" && !off));
  return [
    `${title(status)}\n`,
    plainTable(
      ["USE", "POSSIBLE", "LACKS"],
      status.uses.map((use) => useRow(use, status.findings)),
    ),
    plainTable(["FEATURE", "STATE", "WHAT", "FOR"], status.findings.map(featureRow)),
    ...(isVerbose ? [] : offOptions(status.findings)),
    ...shown.map(renderFinding),
    ...(isVerbose ? [] : ["-v shows where the rest was seen.\n"]),
  ].join("\n");
}

function title({ kind, path, version }: KernelStatus): string {
  return `Linux ${version ?? "of unknown version"}, ${KINDS[kind]}${path === null ? "" : ` ${path}`}`;
}

function useRow({ use, state, lacks }: Verdict, findings: readonly Finding[]): string[] {
  return [
    useTitles[use],
    ANSWERS[state],
    [...new Set(lacks.map((lack) => reason(lack, findings)))].join(", "),
  ];
}

/** An option says more than all the features that are missing because of it. */
function reason(lack: string, findings: readonly Finding[]): string {
  const ids = lack.split("|");
  const off = ids.map((id) => findings.find(({ feature }) => feature.id === id)?.off);
  return off[0] && off.every(Boolean) ? off[0] : ids.join(" or ");
}

/** One paragraph for each option that is off. */
function offOptions(findings: readonly Finding[]): string[] {
  const options = [...new Set(findings.flatMap(({ off }) => off ?? []))];
  return options.map((option) => {
    const ids = findings.filter(({ off }) => off === option).map(({ feature }) => feature.id);
    return `${option} is off, and with it:\n${wrapList(ids)}`;
  });
}

const WIDTH = 100;

function wrapList(names: readonly string[]): string {
  const lines: string[] = [];
  for (const name of names) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + name.length + 2 < WIDTH)
      lines[lines.length - 1] = `${last}, ${name}`;
    else lines.push(`  ${name}`);
  }
  return `${lines.join(",\n")}\n`;
}

function featureRow({ feature, state }: Finding): string[] {
  return [feature.id, STATES[state], feature.title, feature.matters.join(", ") || "-"];
}

function renderFinding({ feature, state, evidence }: Finding): string {
  const since = feature.since === undefined ? "" : `mainline since ${feature.since}; `;
  const lines = [`${feature.id}: ${STATES[state]}`, `why    ${feature.why}`, `seen   ${evidence}`];
  return `${[...lines, `source ${since}${feature.source}`].join("\n  ")}\n`;
}
