// SPDX-License-Identifier: MIT
// What topo predicts is what the kernel does, for every provider and client of many machines.
// An argument names the machines to look at: `node --import tsx tests/lab/prediction.test.ts cascade`.
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Remedy } from "../../core/topo/index.ts";
import { findTopology } from "../../lab/topologies/index.ts";
import { guestProgram, runInLab } from "./boot.ts";
import type { Line, PairResult } from "./guest/prediction.ts";
import { patchQemu } from "./patched-qemu.ts";
import { type Case, cases } from "./prediction-cases.ts";
import { type Parts, partsOf } from "./topology-parts.ts";

const command = guestProgram("prediction");
const wanted = process.argv[2] ?? "";
const counts = new Map<string, Map<string, number>>();
const rules = new Set<string>();
const notes = new Set<string>();

const RULES = [
  ...["same-function", "common-bridge", "acs-redirect", "amd-zen", "whitelisted-host-bridge"],
  ...["host-bridge-not-listed", "different-host-bridges", "no-host-bridge-device"],
];

interface Outcome {
  readonly parts: Parts | undefined;
  readonly pairs: readonly PairResult[];
  readonly remedies: readonly Remedy[];
}

const advised = await runAll();
for (const [index, parameter] of advised.entries()) {
  const withAdvice = { name: `iommu, ${parameter.split("=")[1]} as advised`, append: parameter };
  const outcome = await runCase({
    ...withAdvice,
    topology: "iommu",
    steps: [{ name: "at boot" }],
    hasIommu: true,
  });
  test(`the advised kernel parameter ${index + 1} (${parameter}) makes the switch direct`, () => {
    const peers = outcome.pairs.filter(({ provider, client }) => provider === "nvme0" && client === "nvme1");
    assert.equal(
      peers.map(({ mapType }) => mapType),
      ["BUS_ADDR"],
    );
  });
}

if (wanted === "") {
  test("the IOMMU machine got advice for both kernel parameters", () => assert.is(advised.length, 2));
  test("every map type and rule was met, and no verdict was left open", () => {
    assert.equal([...counts.keys()].sort(), ["BUS_ADDR", "NOT_SUPPORTED", "THRU_HOST_BRIDGE"]);
    for (const rule of RULES) assert.ok(rules.has(rule), rule);
  });
}

printMatrix();
test.run();

/** One boot a machine, one after the other. Answers the kernel parameters that were advised under the IOMMU. */
async function runAll(): Promise<string[]> {
  const parameters: string[] = [];
  for (const one of cases.filter(({ name }) => name.includes(wanted))) {
    const { remedies } = await runCase(one);
    if (one.name !== "iommu") continue;
    parameters.push(
      ...remedies.filter(({ kind }) => kind === "acs-at-boot").flatMap(({ commands }) => commands),
    );
  }
  return parameters;
}

async function runCase(one: Case): Promise<Outcome> {
  const patched = one.rootPortIds && patchQemu(...one.rootPortIds);
  if (one.rootPortIds && !patched) {
    console.log(`# skip: ${one.name}: this QEMU's root port ids are not where they were expected`);
    return { parts: undefined, pairs: [], remedies: [] };
  }
  const { topology, steps, append } = one;
  const result = await withEnvironment(patched?.env ?? {}, () =>
    runInLab({
      ...{ topology, command: [...command, JSON.stringify({ steps })], timeoutMs: 240_000 },
      ...(append === undefined ? {} : { append }),
      qemuArgs: [...(patched?.args ?? []), ...(one.qemuArgs ?? [])],
    }),
  ).catch((error: Error) => ({ exitCode: -1, stdout: "", stderr: error.message, consoleTail: [] }));
  const lines = result.stdout.split("\n").filter(Boolean);
  const outcome = collect(lines.map((line) => JSON.parse(line) as Line));
  test(`${one.name}: the guest came to its end`, () => {
    assert.is(result.exitCode, 0, `${result.stderr}\n${result.consoleTail.slice(-30).join("\n")}`);
  });
  test(`${one.name}: all drives and providers of the topology are there`, () => {
    const parts = partsOf(typeof topology === "string" ? findTopology(topology) : topology);
    assert.equal(outcome.parts, parts);
  });
  for (const step of steps) {
    const pairs = outcome.pairs.filter((pair) => pair.step === step.name);
    if (step.keepVerdicts) registerKept(one, step.name, pairs);
    else registerStep(one, step.name, pairs);
  }
  return outcome;
}

async function withEnvironment<T>(extra: Record<string, string>, action: () => Promise<T>): Promise<T> {
  const before = { ...process.env };
  Object.assign(process.env, extra);
  try {
    return await action();
  } finally {
    for (const name of Object.keys(extra)) delete process.env[name];
    Object.assign(process.env, before);
  }
}

function collect(lines: readonly Line[]): Outcome {
  return {
    parts: lines.flatMap((line) => (line.kind === "machine" ? [line.parts] : []))[0],
    pairs: lines.flatMap((line) => (line.kind === "pair" ? [line.pair] : [])),
    remedies: lines.flatMap((line) => (line.kind === "advice" ? line.remedies : [])),
  };
}

function registerStep(one: Case, step: string, pairs: readonly PairResult[]): void {
  for (const pair of pairs) count(one, pair);
  test(`${one.name}, ${step}: ${pairs.length} pairs as predicted`, () => {
    assert.ok(pairs.length > 0);
    for (const pair of pairs) {
      const { provider, client, mapType, rule, detail } = pair;
      const what = `${client} into ${provider}: ${mapType} by ${rule}, seen ${pair.outcome} ${detail}`;
      assert.is(pair.outcome, expectedOutcome(one, pair), what);
      assert.is(sorted(pair.loggedPorts), sorted(pair.predictedPorts), `redirecting ports, ${what}`);
    }
  });
}

/** The kernel keeps what it has decided, as the advice says. */
function registerKept(one: Case, step: string, pairs: readonly PairResult[]): void {
  test(`${one.name}, ${step}: the kernel goes by its old verdicts`, () => {
    assert.ok(pairs.some(({ mapType }) => mapType === "NOT_SUPPORTED"));
    for (const { outcome } of pairs) assert.is(outcome, "works");
  });
}

function expectedOutcome({ hasIommu }: Case, { mapType, rule }: PairResult): PairResult["outcome"] {
  if (mapType === "NOT_SUPPORTED") return "refused";
  return hasIommu && mapType === "BUS_ADDR" && rule !== "same-function" ? "lost" : "works";
}

function sorted(ports: string | undefined): string | undefined {
  return ports?.split(";").sort().join(";");
}

function count(one: Case, { mapType, outcome, provider, client, rule }: PairResult): void {
  rules.add(rule);
  const predicted = mapType ?? "unknown";
  const row = counts.get(predicted) ?? new Map<string, number>();
  counts.set(predicted, row.set(outcome, (row.get(outcome) ?? 0) + 1));
  if (outcome !== "lost") return;
  notes.add(
    `${one.name}: ${client} into ${provider}: the kernel mapped it, the data went nowhere, since QEMU sends bus addresses through its IOMMU where a real switch would not`,
  );
}

function printMatrix(): void {
  const columns = ["works", "refused", "lost", "failed"];
  console.log(`predicted \\ seen  ${columns.map((column) => column.padStart(8)).join("")}`);
  for (const [mapType, row] of counts) {
    console.log(
      `${mapType.padEnd(17)} ${columns.map((column) => String(row.get(column) ?? 0).padStart(8)).join("")}`,
    );
  }
  for (const note of notes) console.log(`  ${note}`);
}
