// SPDX-License-Identifier: MIT
// A few runs of each kind; `npm run torture` makes all of them.
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { packageRoot } from "../../lab/package-root.ts";
import { type RunKind, type RunReport, renderRun, renderSummary } from "./report.ts";
import { runSchedule, seedsOf } from "./schedule.ts";

const FEW: Readonly<Record<RunKind, number>> = {
  "host-kill": 24,
  "lab-kill": 4,
  "power-cut": 4,
  "bad-sectors": 4,
  "crash-states": 1,
};
const RESUMES = 4;

const kinds = Object.keys(FEW) as RunKind[];
const started = performance.now();
const runs: RunReport[] = [];
await runSchedule({
  program: join(packageRoot(), "dist", "p2pdma.js"),
  seeds: kinds.flatMap((kind) => seedsOf(kind, FEW[kind])),
  mostResumes: RESUMES,
  onRun: (run) => void runs.push(run),
});
console.log(renderSummary(runs, (performance.now() - started) / 1000));

for (const run of runs) {
  test(`seed ${run.seed}, ${run.kind}: ${run.kills.join("; ")}`, () => {
    assert.is(run.problem, undefined, renderRun(run));
  });
}

for (const kind of kinds) {
  test(`every seed of ${kind} has run, and its copies were killed`, () => {
    const ours = runs.filter((run) => run.kind === kind);
    const extra = kind === "crash-states" ? RESUMES : 0;
    assert.is(ours.length, FEW[kind] + extra);
    assert.ok(ours.some(({ kills }) => kills.length > 0));
  });
}

test.run();
