// SPDX-License-Identifier: MIT
// Measures p2pdma beside the programs that it is to be compared with, and holds the ratios against what they have to
// be. `npm run bench` runs everything, `npm run bench -- PART...` some of it. Exit code 1: a figure was missed.
import { calls } from "./calls.ts";
import { cost } from "./cost.ts";
import { doingLess } from "./doing-less.ts";
import { type Figure, isMet, renderFigures } from "./figures.ts";
import { host } from "./host.ts";
import { latency } from "./latency.ts";
import { lengths } from "./lengths.ts";
import { pairs } from "./pairs.ts";
import { buildPrograms } from "./programs.ts";
import { startUp } from "./start-up.ts";
import { threads } from "./threads.ts";

const PARTS: Readonly<Record<string, () => Promise<Figure[]>>> = {
  latency,
  threads,
  cost,
  calls,
  lengths,
  pairs,
  host,
  "start-up": startUp,
  "doing-less": doingLess,
};

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(PARTS);
const unknown = wanted.find((name) => !(name in PARTS));
if (unknown !== undefined) {
  console.error(`no part is called "${unknown}": ${Object.keys(PARTS).join(", ")}`);
  process.exit(2);
}

// An end like any other, so that nothing is left behind.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
buildPrograms();
const figures: Figure[] = [];
for (const name of wanted) {
  console.log(`\n== ${name}`);
  const found = (await PARTS[name]?.()) ?? [];
  console.log(renderFigures(found));
  figures.push(...found);
}
const missed = figures.filter((figure) => !isMet(figure)).length;
const judged = figures.filter(({ required }) => required).length;
console.log(`\n== all\n${renderFigures(figures)}\n\n${judged - missed} of ${judged} figures as required`);
process.exitCode = missed > 0 ? 1 : 0;
