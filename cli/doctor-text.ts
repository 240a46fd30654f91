// SPDX-License-Identifier: MIT
import type { CheckResult, Examination } from "../core/doctor/examine.ts";
import type { Facts } from "../core/doctor/facts.ts";
import type { Check, Finding, Fix, Status } from "../core/doctor/finding.ts";
import { listWords } from "../core/doctor/finding.ts";

const LABELS: Readonly<Record<Status, string>> = {
  pass: "pass",
  warn: "warn",
  fail: "FAIL",
  unknown: "????",
};
const WIDTH = 110;
const INDENT = " ".repeat(6);

/** What needs attention, a line for what has passed, and the answer at the end. */
export function renderExamination(examination: Examination, isVerbose: boolean): string {
  const { facts, results } = examination;
  const shown = results.flatMap(({ check, findings }) =>
    findings
      .filter(({ status }) => isVerbose || status !== "pass")
      .map((finding) => renderFinding(check, finding)),
  );
  return `${[title(facts), ...shown, summary(results, isVerbose), answer(examination)].join("\n")}\n`;
}

/** Every check with what one sees when it fails. */
export function renderChecks(checks: readonly Check[]): string {
  return checks
    .map(
      ({ id, title, symptom }) =>
        `${id.padEnd(18)}${title}\n${wrap(`when not: ${symptom}`, " ".repeat(18))}\n`,
    )
    .join("");
}

function title({ machine, ends }: Facts): string {
  const { name, kernelRelease } = machine.host;
  const what = ends ? `${ends.source.word} to ${ends.destination.word}` : "the whole machine";
  return `${[name, kernelRelease && `Linux ${kernelRelease}`].filter(Boolean).join(", ")}: ${what}\n`;
}

function renderFinding(check: Check, { status, what, fixes }: Finding): string {
  const head = wrap(`${LABELS[status]}  ${check.id}: ${what}`, "", INDENT);
  if (status === "pass") return head;
  const why = wrap(`why   ${check.why}`, INDENT, `${INDENT}      `);
  return `${[head, why, ...fixes.map(renderFix)].join("\n")}\n`;
}

function renderFix({ text, commands, warning }: Fix): string {
  const lines = [wrap(`fix   ${text}`, INDENT, `${INDENT}      `)];
  for (const command of commands) lines.push(`${INDENT}        ${command}`);
  if (warning) lines.push(wrap(`careful: ${warning}`, `${INDENT}      `));
  return lines.join("\n");
}

function summary(results: readonly CheckResult[], isVerbose: boolean): string {
  const passed = results.filter(({ status }) => status === "pass").length;
  const idle = results.filter(({ status }) => status === undefined).map(({ check }) => check.id);
  const hint = isVerbose ? "" : " (-v shows them)";
  const rest = isVerbose && idle.length > 0 ? `; not asked here: ${idle.join(", ")}` : "";
  return wrap(`${passed} of ${results.length - idle.length} checks passed${hint}${rest}`, "");
}

function answer({ facts, results, isPossible }: Examination): string {
  const named = (wanted: Status) =>
    results.filter(({ status }) => status === wanted).map(({ check }) => check.id);
  const where = facts.ends ? "between these two" : "on this machine";
  if (isPossible === false)
    return `Peer-to-peer is not possible ${where}: see ${listWords(named("fail"), 9)}.`;
  if (isPossible === undefined) {
    return `Whether peer-to-peer is possible ${where} can't be told: see ${listWords(named("unknown"), 9)}.`;
  }
  if (facts.probes) return `Peer-to-peer works ${where}, as tried.`;
  const more = facts.live ? "; --probe tries it" : "";
  return `Peer-to-peer is possible ${where}, by all that can be seen${more}.`;
}

/** Breaks a line at blanks; what follows the first is indented by `rest`. */
function wrap(text: string, indent: string, rest = indent): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(/(?<=\S) (?=\S)/)) {
    if (line.trim() !== "" && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = rest;
    }
    line += line.trim() === "" ? word : ` ${word}`;
  }
  return [...lines, line].join("\n");
}
