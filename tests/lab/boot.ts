// SPDX-License-Identifier: MIT
import { rmSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { test } from "uvu";
import { packageRoot } from "../../lab/package-root.ts";
import { type LabResult, runInLab } from "../../lab/run.ts";
import type { CheckResult } from "./guest/report.ts";

/** The built command line, as a command to run in the guest. */
export const p2pdma = ["node", join(packageRoot(), "dist", "p2pdma.js")];

/** As in scripts/build.sh. */
const REQUIRE_FOR_COMMONJS =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

/** Bundles a program of tests/lab/guest, since compiling is slow in the guest; answers the command to run it. */
export function guestProgram(name: string): string[] {
  const outfile = join(packageRoot(), "dist", `test-${name}-${process.pid}.mjs`);
  process.on("exit", () => rmSync(outfile, { force: true }));
  buildSync({
    entryPoints: [join(packageRoot(), "tests", "lab", "guest", `${name}.ts`)],
    ...{ outfile, bundle: true, platform: "node", format: "esm", target: "node20", logLevel: "warning" },
    external: ["ffi-napi", "ref-napi"],
    banner: { js: REQUIRE_FOR_COMMONJS },
  });
  return ["node", outfile];
}

/** Turns the guest's lines into tests: one each, and one that the program came to its end. */
export function registerChecks(result: LabResult, leastChecks: number): void {
  const lines = result.stdout
    .toString()
    .split("\n")
    .filter((line) => line.startsWith("{"));
  for (const line of lines) {
    const { name, ok, detail } = JSON.parse(line) as CheckResult;
    test(name, () => {
      if (!ok) throw new Error(detail);
    });
  }
  test(`the guest made at least ${leastChecks} checks and ended well`, () => {
    if (result.exitCode === 0 && lines.length >= leastChecks) return;
    const tail = `${result.stderr}\n${result.consoleTail.slice(-30).join("\n")}`;
    throw new Error(`exit ${result.exitCode} after ${lines.length} checks\n${tail}`);
  });
}

export { runInLab };
