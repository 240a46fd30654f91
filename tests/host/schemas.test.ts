// SPDX-License-Identifier: MIT
// What the program really prints, held against the schemas that it publishes.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { showCmbs } from "../../cli/cmb-show-run.ts";
import type { CliContext } from "../../cli/context.ts";
import { runDoctor } from "../../cli/doctor-run.ts";
import { inventory } from "../../cli/list-run.ts";
import { runTopo } from "../../cli/topo-run.ts";
import { gatherAll } from "../../core/capture/gatherers.ts";
import { RecordingView } from "../../core/capture/recording-view.ts";
import { writeCapture } from "../../core/capture/write.ts";
import { machines } from "../fixtures/machines/index.ts";
import { readSchema, schemaNames, validateAgainst, validateProgress } from "../schema.ts";
import { fakeView } from "../unit/core/topo/fake-machine.ts";
import { oneSwitch } from "../unit/core/topo/machines.ts";
import { captureText } from "../unit/machines.ts";
import { tempFolder } from "../unit/temp.ts";

const program = join(import.meta.dirname, "..", "..", "dist", "p2pdma.js");
const folder = tempFolder("schemas");
const state = join(folder, "state");

function p2pdma(...args: string[]) {
  const env = { ...process.env, XDG_STATE_HOME: state };
  return spawnSync(process.execPath, [program, ...args], { encoding: "utf8", env, cwd: folder });
}

/** Runs a command whose stdout is one JSON document. */
function document(...args: string[]): Record<string, unknown> {
  const { stdout, stderr } = p2pdma(...args);
  assert.is.not(stdout, "", stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const source = file("source", randomBytes((1 << 20) + 77));

test("every schema is valid JSON Schema 2020-12 for any validator, strict about its own words", () => {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, strictRequired: false });
  for (const name of schemaNames) {
    const schema = readSchema(name);
    assert.is(schema.$id, `${name}.schema.json`);
    assert.is(schema.$schema, "https://json-schema.org/draft/2020-12/schema");
    ajv.addSchema(schema);
  }
  for (const name of schemaNames) assert.type(ajv.getSchema(`${name}.schema.json`), "function");
});

test("validateAgainst() finds a key that is missing, one too many, and one of another type", () => {
  const good = document("list", "--json");
  validateAgainst("list", good);
  assert.throws(() => validateAgainst("list", { ...good, extra: 1 }), /additional properties.*extra/);
  assert.throws(() => validateAgainst("list", { ...good, providers: {} }), /\/providers must be array/);
  const { providers: _gone, ...rest } = good;
  assert.throws(() => validateAgainst("list", rest), /required property 'providers'/);
});

for (const verify of ["after", "inline"]) {
  test(`copy --json --verify=${verify}: receipt, events and journal`, () => {
    const journal = join(folder, `${verify}.journal`);
    const { stdout, stderr, status } = p2pdma(
      ...["copy", "--via=ram", `--verify=${verify}`, "--json", "--progress=json", "--journal", journal],
      ...[source, join(folder, `copy-${verify}`)],
    );
    assert.is(status, 0, stderr);
    validateAgainst("copy", JSON.parse(stdout));
    assert.ok(validateProgress(stderr) >= 4, stderr);
    validateAgainst("journal", JSON.parse(readFileSync(journal, "utf8")));
  });
}

test("a copy that is interrupted and resumed: journal, events and receipt", () => {
  const journal = join(folder, "stopped.journal");
  const args = ["--journal", journal, "--stop-after=500ms", "--rate=256k", "--checkpoint=100ms"];
  const first = p2pdma("copy", "--via=ram", "--progress=json", ...args, source, join(folder, "stopped"));
  assert.is(first.status, 6, first.stderr);
  validateProgress(first.stderr);
  const written = JSON.parse(readFileSync(journal, "utf8"));
  assert.is(written.state, "stopped");
  validateAgainst("journal", written);
  const second = p2pdma("resume", "--json", "--progress=json", journal);
  assert.is(second.status, 0, second.stderr);
  validateAgainst("copy", JSON.parse(second.stdout));
  validateProgress(second.stderr);
});

test("copy --explain --json and --dry-run --json", () => {
  validateAgainst("explain", document("copy", "--explain", "--json", source, join(folder, "new")));
  validateAgainst("dry-run", document("copy", "--dry-run", "--json", source, join(folder, "new")));
});

test("verify --json, equal and different, through either hash", () => {
  const other = file("other", readFileSync(source));
  for (const hash of ["xxh3", "sha256"]) {
    const { stdout, stderr, status } = p2pdma(
      ...["verify", "--json", "--progress=json", "--hash", hash, source, other],
    );
    assert.is(status, 0, stderr);
    validateAgainst("verify", JSON.parse(stdout));
    assert.ok(validateProgress(stderr) > 0);
  }
  const bytes = readFileSync(other);
  bytes[70_000] = (bytes[70_000] ?? 0) ^ 1;
  writeFileSync(other, bytes);
  const { stdout, status } = p2pdma("verify", "--json", source, other);
  assert.is(status, 4);
  const report = JSON.parse(stdout);
  validateAgainst("verify", report);
  assert.is(report.verification.differing.length, 1);
});

test("migrate --dry-run, --json, --status and its events", () => {
  mkdirSync(join(folder, "out"));
  const plan = file(
    "plan.yaml",
    `version: 1
defaults: { via: ram, verify: true }
pairs:
  - { name: good, from: source, to: out/ }
  - { name: bad, from: source, to: out/bad, hooks: { pre: "exit 3" } }
  - { name: late, from: source, to: out/late, after: [bad] }
`,
  );
  validateAgainst("migrate-preview", document("migrate", "--dry-run", "--json", plan));
  const { stdout, stderr, status } = p2pdma("migrate", "--json", "--progress=json", plan);
  assert.is(status, 6, stderr);
  const report = JSON.parse(stdout);
  validateAgainst("migrate", report);
  assert.ok(report.pairs[0].receipt);
  assert.ok(validateProgress(stderr) > 8);
  validateAgainst("migrate", document("migrate", "--status", "--json", plan));
});

/** What a command prints, in this process: starting one for each of so many would take a minute. */
async function printed(run: (context: CliContext) => unknown): Promise<Record<string, unknown>> {
  let text = "";
  const unheard = (words: string): never => {
    throw new Error(`it said: ${words}`);
  };
  const out = (part: string) => {
    text += part;
  };
  await run({ out, err: unheard, canAsk: false, stderrIsTerminal: false, ask: unheard });
  return JSON.parse(text) as Record<string, unknown>;
}

for (const machine of machines) {
  test(`list, topo, doctor and cmb show --json of the capture "${machine.name}"`, async () => {
    const from = file(`${machine.name}.json`, captureText(machine));
    const asJson = { json: true, from, timeout: "1" };
    const nobody = { source: undefined, destination: undefined };
    validateAgainst("list", JSON.parse(JSON.stringify(inventory(from))));
    validateAgainst("cmb", await printed((context) => showCmbs(context, [], asJson)));
    validateAgainst("doctor", await printed((context) => runDoctor(context, nobody, asJson)));
    const topo = await printed((context) => runTopo(context, nobody, asJson));
    validateAgainst("topo", topo);
    const [source, destination] = (topo.devices as { name: string }[]).map(({ name }) => name);
    if (!source || !destination) return;
    const ends = { source, destination };
    validateAgainst("topo-pair", await printed((context) => runTopo(context, ends, asJson)));
    validateAgainst("doctor", await printed((context) => runDoctor(context, ends, asJson)));
  });
}

test("topo --json of a machine with a switch", () => {
  const recording = new RecordingView(fakeView(oneSwitch()));
  gatherAll(recording);
  const capture = file("switch.json", writeCapture(recording.answers, { createdWith: "test" }));
  const topo = document("topo", "--json", "--from", capture);
  validateAgainst("topo", topo);
  assert.ok((topo.pairs as unknown[]).length > 0);
});

test("a source that changed is no reason for an event of another shape", () => {
  const journal = join(folder, "changed.journal");
  const changing = file("changing", randomBytes(1 << 20));
  const args = ["--via=ram", "--journal", journal, "--stop-after=300ms", "--rate=256k"];
  assert.is(p2pdma("copy", ...args, changing, join(folder, "changed")).status, 6);
  appendFileSync(changing, "more");
  const { status, stderr } = p2pdma("resume", "--progress=json", journal);
  assert.is(status, 7, stderr);
  assert.ok(validateProgress(stderr) >= 1, stderr);
});

test.run();
