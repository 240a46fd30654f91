// SPDX-License-Identifier: MIT
// The text and JSON of doctor, and its command line as a user meets it.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { examinationJson } from "../../../cli/doctor-json.ts";
import { renderChecks, renderExamination } from "../../../cli/doctor-text.ts";
import { checks } from "../../../core/doctor/checks/index.ts";
import { examine } from "../../../core/doctor/examine.ts";
import { readFacts } from "../../../core/doctor/facts.ts";
import { vmSwitch } from "../../fixtures/machines/virtual.ts";
import { xeonSkylake } from "../../fixtures/machines/xeon-skylake.ts";
import { fakeHere, server, type Variation } from "../core/doctor/healthy.ts";
import { captureText } from "../machines.ts";
import { tempFolder } from "../temp.ts";

const folder = tempFolder("doctor");
const program = join(import.meta.dirname, "../../../dist/p2pdma.js");
const pair = { source: "nvme0", destination: "nvme1" };

function examination(variation: Variation) {
  return examine({ ...readFacts(server(variation), fakeHere(), pair), probes: undefined });
}

function doctor(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, "doctor", ...args], {
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

test("renderExamination() of a healthy machine: no complaint, and the answer", () => {
  assert.is(
    renderExamination(examination({}), false),
    [
      "fixture-host, Linux 6.12.1: nvme0 to nvme1",
      "",
      "25 of 25 checks passed (-v shows them)",
      "Peer-to-peer is possible between these two, by all that can be seen; --probe tries it.",
      "",
    ].join("\n"),
  );
});

test("renderExamination() of a broken one: what, why, and each fix with its commands", () => {
  const text = renderExamination(examination({ acs: 0x1d }), false);
  assert.match(text, /^FAIL {2}acs-redirect: nvme0 with nvme1: ACS on 0000:02:00\.0, 0000:02:01\.0 sends/m);
  assert.match(text, /^ {6}why {3}a port that redirects/m);
  assert.match(text, /^ {6}fix {3}turn redirection off/m);
  assert.match(text, /^ {14}setpci -s 0000:02:00\.0 ECAP_ACS\+6\.w=0011$/m);
  assert.match(text, /^ {12}careful: /m);
  assert.match(text, /not possible between these two: see acs-redirect\.\n$/);
  const prose = text.split("\n").filter((line) => !/^ {14}\S/.test(line));
  assert.ok(
    prose.every((line) => line.length <= 110),
    prose.find((line) => line.length > 110),
  );
});

test("renderExamination() -v shows what has passed, and what was not asked", () => {
  const text = renderExamination(examination({}), true);
  assert.match(text, /^pass {2}kernel-version: /m);
  assert.match(text, /not asked here:[^.]*virtual-machine,\s+probe,\s+transfer-hangs/);
});

test("examinationJson() has every check, and survives JSON", () => {
  const document = JSON.parse(JSON.stringify(examinationJson(examination({ acs: 0x1d }))));
  assert.is(document.schema, "p2pdma.doctor/1");
  assert.is(document.isPossible, false);
  assert.equal(document.ends.source, {
    name: "nvme0",
    pciAddress: "0000:03:00.0",
    blockDevice: "nvme0n1",
    fileSystem: null,
  });
  assert.equal(
    document.checks.map(({ id }: { id: string }) => id),
    checks.map(({ id }) => id),
  );
  const acs = document.checks.find(({ id }: { id: string }) => id === "acs-redirect");
  assert.is(acs.status, "fail");
  assert.match(acs.findings[0].fixes[0].commands[0], /^setpci/);
  assert.is(document.checks.find(({ id }: { id: string }) => id === "probe").status, null);
});

test("renderChecks() lists every id with its symptom", () => {
  const text = renderChecks(checks);
  for (const { id } of checks) assert.match(text, new RegExp(`^${id} +\\S.*\\n +when not: `, "m"));
});

test("doctor --from judges a capture: 0 possible, 3 not", () => {
  const good = join(folder, "good.json");
  const bad = join(folder, "bad.json");
  writeFileSync(good, captureText(vmSwitch));
  writeFileSync(bad, captureText(xeonSkylake));
  assert.is(doctor("--from", good).status, 0);
  assert.is(doctor("--from", good, "nvme0", "nvme1n1").status, 0);
  const { status, stdout } = doctor("--from", bad, "nvme0", "nvme2");
  assert.is(status, 3, stdout);
  assert.match(stdout, /^FAIL {2}host-bridge/m);
});

const wrong: readonly (readonly [string[], RegExp])[] = [
  [["nvme0"], /"nvme0" needs another device/],
  [["--from", join(folder, "good.json"), "--probe"], /--probe tries this machine/],
  [["--from", join(folder, "good.json"), "nvme0", "nvme7"], /"nvme7" is no device here/],
  [["--probe", "--timeout", "soon"], /--timeout: "soon"/],
];

for (const [args, message] of wrong) {
  test(`doctor ${args.filter((arg) => !arg.startsWith("/")).join(" ")} is wrong usage`, () => {
    const { status, stdout, stderr } = doctor(...args);
    assert.is(status, 2, stderr);
    assert.match(stderr, message);
    assert.is(stdout, "");
  });
}

test.run();
