// SPDX-License-Identifier: MIT
import { ExitCode } from "../exit-codes.ts";
import { checks } from "./checks/index.ts";
import type { Facts } from "./facts.ts";
import type { Check, Finding, Status } from "./finding.ts";

export interface CheckResult {
  readonly check: Check;
  /** The worst of its findings; undefined when it does not apply. */
  readonly status: Status | undefined;
  readonly findings: readonly Finding[];
}

export interface Examination {
  readonly facts: Facts;
  readonly results: readonly CheckResult[];
  /** Peer-to-peer can be done; undefined when that hangs on what could not be seen. */
  readonly isPossible: boolean | undefined;
  readonly exitCode: ExitCode;
}

/** Best first. */
const STATUSES: readonly Status[] = ["pass", "warn", "unknown", "fail"];

/** Puts every check to a snapshot. Pure. */
export function examine(facts: Facts): Examination {
  const results = checks.map((check): CheckResult => {
    const findings = check.examine(facts);
    return { check, findings, status: worst(findings.map(({ status }) => status)) };
  });
  const overall = worst(results.flatMap(({ status }) => status ?? []));
  const isPossible = overall === "fail" ? false : overall === "unknown" ? undefined : true;
  return { facts, results, isPossible, exitCode: exitCodeFor(isPossible) };
}

function exitCodeFor(isPossible: boolean | undefined): ExitCode {
  if (isPossible === undefined) return ExitCode.failed;
  return isPossible ? ExitCode.done : ExitCode.noPeerToPeer;
}

function worst(statuses: readonly Status[]): Status | undefined {
  return statuses.toSorted((a, b) => STATUSES.indexOf(a) - STATUSES.indexOf(b)).at(-1);
}
