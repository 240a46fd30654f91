// SPDX-License-Identifier: MIT
// Nothing lost: 200 seeded runs that are killed, cut off and fed bad sectors, and every crash state of two more.
//   npm run torture                     all of them
//   npm run torture -- --seed 150       one again
//   npm run torture -- --kind power-cut one kind
//   npm run torture -- --program FILE   another build of p2pdma: one that was sabotaged must fail
import { join } from "node:path";
import { parseArgs } from "node:util";
import { packageRoot } from "../../lab/package-root.ts";
import { type RunKind, type RunReport, renderRun, renderSummary } from "./report.ts";
import { runSchedule, SEEDS, seedsOf } from "./schedule.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", multiple: true },
    kind: { type: "string" },
    program: { type: "string", default: join(packageRoot(), "dist", "p2pdma.js") },
  },
});

const kinds = Object.keys(SEEDS) as RunKind[];
if (values.kind !== undefined && !kinds.includes(values.kind as RunKind)) {
  throw new RangeError(`--kind is one of ${kinds.join(", ")}`);
}
const wanted = kinds.filter((kind) => values.kind === undefined || kind === values.kind);
const seeds = values.seed?.map(Number) ?? wanted.flatMap((kind) => seedsOf(kind));

const started = performance.now();
const runs: RunReport[] = [];
await runSchedule({
  ...{ program: values.program, seeds, mostResumes: Number.POSITIVE_INFINITY },
  onRun: (run) => {
    runs.push(run);
    console.log(renderRun(run));
  },
});
console.log(renderSummary(runs, (performance.now() - started) / 1000));
process.exitCode = runs.some(({ problem }) => problem !== undefined) ? 1 : 0;
