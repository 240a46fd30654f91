// SPDX-License-Identifier: MIT
import { join } from "node:path";
import { Writable } from "node:stream";
import { buildSync } from "esbuild";
import { Collector, withInput } from "../../lab/capture.ts";
import { packageRoot } from "../../lab/package-root.ts";
import { lineSplitter } from "../../lab/protocol.ts";
import type { LabSession } from "../../lab/run.ts";
import type { RunReport } from "./report.ts";

/** Bundles a program of tests/torture/guest, since compiling is slow in the guest; answers the command to run it. */
function guestProgram(name: string): string[] {
  const outfile = join(packageRoot(), "dist", `torture-${name}.mjs`);
  buildSync({
    entryPoints: [join(packageRoot(), "tests", "torture", "guest", `${name}.ts`)],
    ...{ outfile, bundle: true, platform: "node", format: "esm", target: "node20", logLevel: "warning" },
    external: ["ffi-napi", "ref-napi"],
  });
  return [process.execPath, outfile];
}

/** Longer than any deadline inside the guest. */
const RUN_MS = 300_000;

/** Runs some seeds in the guest, and passes each report on as it comes. */
export async function runInGuest(
  lab: LabSession,
  name: string,
  program: string,
  seeds: readonly number[],
  onRun: (run: RunReport) => void,
): Promise<void> {
  let reports = 0;
  const split = lineSplitter((line) => {
    reports++;
    onRun(JSON.parse(line) as RunReport);
  });
  const stdout = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      split(chunk);
      done();
    },
  });
  const stderr = new Collector();
  const timer = setTimeout(() => lab.kill(`${name} did not end`), RUN_MS * seeds.length);
  try {
    const { exitCode } = await lab.run({
      command: [...guestProgram(name), program, ...seeds.map(String)],
      ...{ cwd: packageRoot(), env: { PATH: process.env.PATH ?? "", HOME: "/run/p2pdma" } },
      ...{ stdin: withInput(), stdout, stderr },
    });
    if (exitCode === 0 && reports === seeds.length) return;
    throw new Error(`the guest ended with ${exitCode} after ${reports} runs: ${stderr.bytes()}`);
  } finally {
    clearTimeout(timer);
  }
}
