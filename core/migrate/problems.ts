// SPDX-License-Identifier: MIT
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";

/** Where in the plan: `["pairs", 0, "from"]`. */
export type PlanPath = readonly (string | number)[];

/** Line and column in the plan's text, from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Something wrong with a plan, found before anything runs. */
export interface Problem {
  readonly path: PlanPath;
  readonly place: Place;
  readonly message: string;
  readonly exitCode: ExitCode;
  readonly hint?: string | undefined;
}

const MOST_SHOWN = 25;

/** All that is wrong with a plan at once; its message has one line for each. */
export class PlanError extends P2pdmaError {
  constructor(
    readonly file: string,
    readonly problems: readonly Problem[],
  ) {
    const [first] = problems;
    super("BAD_PLAN", worstExit(problems), describe(file, problems), {
      ...(problems.length === 1 && first?.hint ? { hint: first.hint } : {}),
    });
  }
}

/** `pairs[0].hooks.pre` */
export function pathText(path: PlanPath): string {
  return path
    .map((part, index) => (typeof part === "number" ? `[${part}]` : index === 0 ? part : `.${part}`))
    .join("");
}

function describe(file: string, problems: readonly Problem[]): string {
  const count = problems.length === 1 ? "a problem" : `${problems.length} problems`;
  const lines = problems.slice(0, MOST_SHOWN).map(({ path, place, message, hint }) => {
    const where = path.length > 0 ? `${pathText(path)}: ` : "";
    const more = hint && problems.length > 1 ? ` (${hint})` : "";
    return `\n  ${file}:${place.line}:${place.column}: ${where}${message}${more}`;
  });
  const left = problems.length - lines.length;
  return `"${file}" has ${count}, nothing was started:${lines.join("")}${left > 0 ? `\n  and ${left} more` : ""}`;
}

/** Safety comes first, then what this machine can't do, then what is wrong with the text. */
function worstExit(problems: readonly Problem[]): ExitCode {
  const codes = problems.map(({ exitCode }) => exitCode);
  if (codes.includes(ExitCode.refused)) return ExitCode.refused;
  return codes.includes(ExitCode.noPeerToPeer) ? ExitCode.noPeerToPeer : ExitCode.usage;
}
