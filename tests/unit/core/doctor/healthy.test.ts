// SPDX-License-Identifier: MIT
// Nothing is said of a healthy machine, and a capture is judged as the machine it was made of.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { gatherAll } from "../../../../core/capture/gatherers.ts";
import { parseCapture } from "../../../../core/capture/parse.ts";
import { RecordingView } from "../../../../core/capture/recording-view.ts";
import { writeCapture } from "../../../../core/capture/write.ts";
import { checks } from "../../../../core/doctor/checks/index.ts";
import { examine } from "../../../../core/doctor/examine.ts";
import { readFacts } from "../../../../core/doctor/facts.ts";
import { planProbes } from "../../../../core/doctor/probe.ts";
import type { SystemView } from "../../../../core/sysfs.ts";
import { machines } from "../../../fixtures/machines/index.ts";
import { capturedMachine } from "../../machines.ts";
import { A, B, DRIVE_A, diagnose, fakeHere, server, type Variation } from "./healthy.ts";

const pair = { source: "/dev/nvme0n1", destination: "/dev/nvme1n1" };

const healthy: readonly (readonly [string, Variation])[] = [
  ["drives below one switch", {}],
  ["ports with ACS that does not redirect", { acs: 0x11 }],
  ["root ports of an AMD Zen", { apart: true, cpu: { vendor_id: "AuthenticAMD", "cpu family": "25" } }],
  ["an Arm server with a switch", { cpu: { "CPU implementer": "0x41" } }],
];

for (const [what, variation] of healthy) {
  test(`examine() has nothing to say of ${what}`, () => {
    for (const question of [undefined, pair]) {
      const diagnosis = diagnose(server(variation), fakeHere(), question);
      assert.equal(diagnosis.complaints, []);
      assert.is(diagnosis.exitCode, 0);
      assert.is(diagnosis.isPossible, true);
    }
  });
}

function recapture(view: SystemView): SystemView {
  const recording = new RecordingView(view);
  gatherAll(recording);
  const text = writeCapture(recording.answers, { createdWith: "p2pdma 0.0.0" });
  return parseCapture(Buffer.from(text), "test").view;
}

const unlike: readonly (readonly [string, Variation])[] = [
  ...healthy,
  ["redirecting ports", { acs: 0x1d }],
  ["root ports of an unlisted host bridge", { apart: true }],
  ["a kernel without the option", { options: ["PCI=y"] }],
  ["blocks of two sizes", { b: { nvme: { name: "nvme1", model: "M", serial: "S", lbaBytes: 4096 } } }],
];

for (const [what, variation] of unlike) {
  test(`a capture tells doctor as much as the files: ${what}`, () => {
    const files = server(variation);
    files.write(`${DRIVE_A}/nvme/nvme0/nvme0n1/metadata_bytes`, "8\n");
    files.write(`${DRIVE_A}/nvme/nvme0/queue_count`, "65\n");
    files.write(`${DRIVE_A}/nvme/nvme0/sqsize`, "1023\n");
    const judge = (view: SystemView) => {
      const { results } = examine({ ...readFacts(view, undefined, pair), probes: undefined });
      return results.map(({ check, findings }) => [check.id, findings.map(({ what }) => what)]);
    };
    assert.equal(judge(recapture(files)), judge(files));
  });
}

for (const machine of machines) {
  test(`examine() judges every precondition of ${machine.name}`, () => {
    const { results, exitCode } = examine({
      ...readFacts(capturedMachine(machine), undefined, undefined),
      probes: undefined,
    });
    assert.ok([0, 3].includes(exitCode), `exit ${exitCode}`);
    for (const { what, fixes, status } of results.flatMap(({ findings }) => findings)) {
      assert.match(what, /^[^\n]+[^.\n]$/);
      assert.is(fixes.length > 0, status !== "pass", what);
    }
  });
}

test("every check has an id of its own, and tells what, why and how it shows", () => {
  const ids = checks.map(({ id }) => id);
  assert.is(new Set(ids).size, ids.length);
  for (const { id, title, symptom, why } of checks) {
    assert.match(id, /^[a-z]+(-[a-z]+)*$/);
    for (const text of [title, symptom, why]) assert.match(text, /^\S[^\n]*[^.\n]$/);
  }
});

test("examine() counts what others offer: a drained provider is no matter where another serves the pair", () => {
  const files = server({ b: { p2pmem: { size: 64 << 20, available: 64 << 20, isPublished: true } } });
  files.write(`${DRIVE_A}/p2pmem/available`, "0\n");
  assert.equal(diagnose(files, fakeHere(), pair).complaints, ["warn pool"]);
  const apart = server({
    apart: true,
    b: { p2pmem: { size: 64 << 20, available: 64 << 20, isPublished: true } },
  });
  apart.write("/sys/devices/pci0000:00/0000:00:01.0/0000:03:00.0/p2pmem/available", "0\n");
  const complaints = diagnose(apart, fakeHere(), pair).complaints;
  assert.equal(complaints, ["fail pool", "fail host-bridge"]);
});

test("planProbes() tries every drive with every provider, of a pair each end once", () => {
  const facts = (question?: typeof pair) => readFacts(server(), fakeHere(), question);
  const planned = planProbes(facts()).map(({ provider, client, path }) => [provider, client, path]);
  assert.equal(planned, [
    [A, A, "/dev/nvme0n1"],
    [A, B, "/dev/nvme1n1"],
  ]);
  const same = { source: "/dev/nvme0n1", destination: "nvme0" };
  assert.is(planProbes(facts(same)).length, 1);
});

test.run();
