// SPDX-License-Identifier: MIT
// Runs `p2pdma doctor` in the guest and looks at what it says.
import { execFileSync, spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { doctorInProcess, type Ended } from "./in-process.ts";
import { expect } from "./report.ts";

export const cli = join(dirname(fileURLToPath(import.meta.url)), "p2pdma.js");

interface Fix {
  readonly text: string;
  readonly commands: readonly string[];
}

interface Finding {
  readonly status: string;
  readonly what: string;
  readonly fixes: readonly Fix[];
}

export interface Diagnosis {
  readonly exitCode: number;
  readonly isPossible: boolean | null;
  /** Every check that is not a pass: `fail acs-redirect`. */
  readonly complaints: readonly string[];
  /** What a check found that is not a pass, and what it tells to do. */
  find(id: string): { readonly what: string; readonly fixes: readonly Fix[] };
}

/** @param before words in front of the command, to run it as somebody else. */
export async function doctor(args: readonly string[], before: readonly string[] = []): Promise<Diagnosis> {
  const needsProcess = before.length > 0 || args.includes("--probe");
  const { status, stdout, stderr } = needsProcess
    ? doctorProcess(args, before)
    : await doctorInProcess("--json", ...args);
  expect(stdout.startsWith("{"), `exit ${status}: ${stdout}${stderr}`);
  const { isPossible, checks } = JSON.parse(stdout);
  const all: { id: string; status: string | null; findings: Finding[] }[] = checks;
  const bad = all.filter(({ status }) => status !== null && status !== "pass");
  return {
    ...{ exitCode: status, isPossible },
    complaints: bad.map(({ id, status }) => `${status} ${id}`),
    find: (id) => {
      const findings = all.find((check) => check.id === id)?.findings ?? [];
      const wrong = findings.filter(({ status }) => status !== "pass");
      return { what: wrong.map(({ what }) => what).join("\n"), fixes: wrong.flatMap(({ fixes }) => fixes) };
    },
  };
}

function doctorProcess(args: readonly string[], before: readonly string[]): Ended {
  const [program = "", ...rest] = [...before, process.execPath, cli, "doctor", "--json", ...args];
  const { status, stdout, stderr } = spawnSync(program, rest, { encoding: "utf8" });
  return { status: status ?? -1, stdout, stderr };
}

/** The check has this status, its words match, and the diagnosis ends with this code. */
export function expectFault(
  diagnosis: Diagnosis,
  complaint: string,
  what: RegExp,
  fix: RegExp,
  exitCode: number,
): void {
  const [, id = ""] = complaint.split(" ");
  const found = diagnosis.find(id);
  const fixText = found.fixes.map(({ text, commands }) => [text, ...commands].join("\n")).join("\n");
  expect(diagnosis.complaints.includes(complaint), `${complaint} not in: ${diagnosis.complaints.join(", ")}`);
  expect(what.test(found.what), `what: ${found.what}`);
  expect(fix.test(fixText), `fix: ${fixText}`);
  expect(diagnosis.exitCode === exitCode, `exit ${diagnosis.exitCode}: ${diagnosis.complaints.join(", ")}`);
}

export function shell(command: string): string {
  return execFileSync("bash", ["-c", command], { encoding: "utf8" });
}

/** Waits until something holds. */
export async function until(what: string, holds: () => boolean, seconds = 10): Promise<void> {
  for (let tries = 0; tries < seconds * 10; tries++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`waited in vain: ${what}`);
}
