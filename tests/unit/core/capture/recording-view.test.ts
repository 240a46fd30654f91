// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CapturedView } from "../../../../core/capture/captured-view.ts";
import { captureLimits } from "../../../../core/capture/format.ts";
import { gatherAll, gatherers } from "../../../../core/capture/gatherers.ts";
import { RecordingView } from "../../../../core/capture/recording-view.ts";
import { takeInventory } from "../../../../core/inventory.ts";
import { reportCmbs } from "../../../../core/nvme/cmb-report.ts";
import { readPciTree } from "../../../../core/pci/tree.ts";
import type { SystemView } from "../../../../core/sysfs.ts";
import { readMachine } from "../../../../core/topo/machine.ts";
import { machines } from "../../../fixtures/machines/index.ts";
import { capturedMachine, machineFiles } from "../../machines.ts";
import { MemoryFiles } from "../../memory-files.ts";

const NAMED = /^(?:hash:|enx)/;

function smallFiles(): MemoryFiles {
  const files = new MemoryFiles();
  files.write("/sys/a/number", "0x10\n");
  files.link("/sys/b", "/sys/a");
  return files;
}

test("RecordingView answers as the view behind it", () => {
  const [files, recording] = [smallFiles(), new RecordingView(smallFiles())];
  for (const path of ["/sys/a/number", "/sys/b/number", "/sys/a", "/sys/none", "/"]) {
    assert.equal(recording.bytes(path), files.bytes(path), path);
    assert.equal(recording.list(path), files.list(path), path);
    assert.is(recording.resolve(path), files.resolve(path), path);
    assert.is(recording.exists(path), files.exists(path), path);
    assert.is(recording.text(path), files.text(path), path);
    assert.is(recording.integer(path), files.integer(path), path);
  }
});

test("RecordingView remembers what was not there", () => {
  const recording = new RecordingView(smallFiles());
  recording.text("/sys/none");
  recording.list("/sys/none");
  recording.exists("/sys/none");
  const { files, lists, links } = recording.answers;
  assert.equal(
    [...files, ...lists, ...links],
    [
      ["/sys/none", undefined],
      ["/sys/none", []],
      ["/sys/none", undefined],
    ],
  );
});

test("RecordingView asks once, so that its answers agree with each other", () => {
  const files = smallFiles();
  const recording = new RecordingView(files);
  assert.is(recording.text("/sys/a/number"), "0x10");
  files.write("/sys/a/number", "0x20\n");
  files.questions = 0;
  assert.is(recording.text("/sys/a/number"), "0x10");
  assert.is(recording.text("/sys//a/./number"), "0x10");
  assert.is(files.questions, 0);
});

test("RecordingView keeps neither huge files nor keys", () => {
  const files = smallFiles();
  files.write("/sys/huge", "x".repeat(captureLimits.contentBytes + 1));
  files.write("/sys/class/nvme/nvme0/dhchap_secret", "DHHC-1:00:secret:\n");
  const recording = new RecordingView(files);
  assert.is(recording.bytes("/sys/huge"), undefined);
  assert.is(recording.bytes("/sys/class/nvme/nvme0/dhchap_secret"), undefined);
});

test("CapturedView gives lists that may be changed", () => {
  const recording = new RecordingView(smallFiles());
  recording.list("/sys/a");
  const view = new CapturedView(recording.answers);
  view.list("/sys/a").push("more");
  assert.equal(view.list("/sys/a"), ["number"]);
  assert.equal(view.list("/sys/never-asked"), []);
});

/** What a part of the program finds on a machine and on a capture of it. */
const readers: [string, (view: SystemView) => unknown][] = [
  ["readPciTree", readPciTree],
  ["takeInventory", (view) => withoutIdentifiers(takeInventory(view, undefined))],
  ["readMachine", (view) => withoutIdentifiers(readMachine(view, { all: true }))],
  ["reportCmbs", (view) => withoutIdentifiers(reportCmbs(view, undefined, []))],
];
for (const machine of machines) {
  for (const [name, read] of readers) {
    test(`${name}() finds the same on ${machine.name} and on a capture of it`, () => {
      assert.equal(read(capturedMachine(machine)), read(machineFiles(machine)));
    });
  }

  test(`a capture of ${machine.name} has been asked for all that its gatherers ask`, () => {
    const first = new RecordingView(machineFiles(machine));
    gatherAll(first);
    const again = new RecordingView(new CapturedView(first.answers));
    gatherAll(again);
    assert.equal(again.answers, first.answers);
  });
}

test("gatherers stay on their feet where there is nothing", () => {
  const view = new MemoryFiles();
  for (const gather of gatherers) gather(view);
});

/** As JSON, with maps and big integers; host, serial and WWID left out. */
function withoutIdentifiers(value: unknown): unknown {
  const text = JSON.stringify(value, (key, field) => {
    // A hashed host name counts as none.
    if (field === "fixture-host") return undefined;
    if (["serial", "wwid"].includes(key) || NAMED.test(field)) return "-";
    if (field instanceof Map) return [...field];
    return typeof field === "bigint" ? String(field) : field;
  });
  return JSON.parse(text);
}

test.run();
