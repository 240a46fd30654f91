// SPDX-License-Identifier: MIT
// Runs every command of the documents and compares what it prints with what they show.
//   node --import tsx tests/docs/docs.test.ts [--show] [DOCUMENT...]

import { readFileSync } from "node:fs";
import { test } from "uvu";
import { packageRoot } from "../../lab/package-root.ts";
import { type Block, readDocument, type Step } from "./blocks.ts";
import { allDocuments } from "./documents.ts";
import { openPlace, type Place, placeName } from "./places.ts";
import { runBlock, type StepResult } from "./run-block.ts";

const reported = new Set<Step>();

const args = process.argv.slice(2);
const shows = args.includes("--show");
const named = args.filter((arg) => !arg.startsWith("-"));
const documents = named.length > 0 ? named : allDocuments();
const atATime = documents.length > 1 ? 2 : 1;
const read = documents.map((name) => readDocument(name, readFileSync(`${packageRoot()}/${name}`, "utf8")));

for (const problem of read.flatMap(({ problems }) => problems)) {
  test(problem, () => {
    throw new Error(problem);
  });
}

const blocks = read.flatMap((document) => document.blocks);
for (const block of blocks.filter(({ directive }) => directive.where === "skip")) skip(block);
await runAll(groups(blocks.filter(({ directive }) => directive.where !== "skip")));
test.run();

function skip({ document, steps, directive }: Block): void {
  for (const { line, command } of steps) {
    const name = `${document}:${line} ${command.split("\n", 1)[0]}`;
    console.log(`# skip: ${name}: ${directive.reason}`);
    test.skip(name, () => {});
  }
}

/** Blocks that share a place run in it in the order of their document. */
function groups(all: readonly Block[]): Block[][] {
  const byPlace = new Map<string, Block[]>();
  for (const block of all) {
    const name = `${block.document} ${placeName(block.directive)}`;
    byPlace.set(name, [...(byPlace.get(name) ?? []), block]);
  }
  return [...byPlace.values()];
}

async function runAll(queue: Block[][]): Promise<void> {
  const worker = async () => {
    for (let group = queue.shift(); group; group = queue.shift()) await runGroup(group);
  };
  await Promise.all(Array.from({ length: atATime }, worker));
}

async function runGroup(group: readonly Block[]): Promise<void> {
  const [first] = group;
  if (!first) return;
  let place: Place | undefined;
  try {
    place = await openPlace(first.directive);
    for (const block of group) for (const result of await runBlock(block, place)) report(block, result);
  } catch (error) {
    const left = group.flatMap((block) => block.steps.map((step) => ({ block, step })));
    const missing = left.filter(({ step }) => !reported.has(step));
    missing.forEach(({ block, step }, index) => {
      report(block, {
        step,
        output: "",
        problem: index === 0 ? String(error) : "not run: its machine is gone",
      });
    });
  } finally {
    await place?.close();
  }
}

function report({ document }: Block, { step, output, problem }: StepResult): void {
  const [firstLine] = step.command.split("\n", 1);
  const name = `${document}:${step.line} ${firstLine}`;
  reported.add(step);
  if (shows) console.log(`--- ${name}\n${output}`);
  test(name, () => {
    if (problem !== undefined) throw Object.assign(new Error(problem), { stack: "" });
  });
}
