// SPDX-License-Identifier: MIT
// Verification by the drive: what differs is found, and QEMU's own record says where the payload went.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { drive, pciSwitch, rootPort, topology } from "../../lab/topology.ts";
import { guestProgram, registerChecks, runInLab } from "./boot.ts";
import { countPayload, PAYLOAD_EVENTS, parseTrace, type Window } from "./trace.ts";

/** In the middle of the second MiB that the guest compares on C. */
const BAD_SECTOR = (129.5 * (1 << 20)) / 512;

const cases = await runInLab({
  topology: topology({
    name: "compare",
    summary: "A and B with CMBs, C with a bad sector, and D with LBAs of 4096 bytes",
    pci: [
      rootPort(
        pciSwitch(
          drive("A", { cmbMiB: 64 }),
          drive("B", { cmbMiB: 32 }),
          drive("C", { mediumErrors: [{ on: "read", sector: BAD_SECTOR }] }),
          drive("D", { lbaBytes: 4096 }),
        ),
      ),
    ],
  }),
  command: guestProgram("compare-cases"),
  stdio: "capture",
});
registerChecks(cases, 32);

const LENGTH = 16 << 20;
const GIB = 1 << 30;

/** As tests/lab/guest/compare-proof.ts makes them. */
const comparisons = [
  { name: "uring, destination's CMB", at: 1, bar: 1, directions: ["read", "compare"] },
  { name: "uring, source's CMB", at: 2, bar: 0, directions: ["read", "compare"] },
  { name: "ioctl, destination's CMB", at: 3, bar: 1, directions: ["read", "compare"] },
  { name: "inline, destination's CMB", at: 4, bar: 1, directions: ["read", "write", "compare"] },
  { name: "uring, RAM", at: 5, bar: undefined, directions: ["read", "compare"] },
  { name: "ioctl, RAM", at: 6, bar: undefined, directions: ["read", "compare"] },
] as const;

const folder = mkdtempSync(join(tmpdir(), "p2pdma-compare-"));
const file = join(folder, "trace");
const proof = await runInLab({
  topology: "switch",
  command: guestProgram("compare-proof"),
  stdio: "capture",
  trace: { file, events: PAYLOAD_EVENTS },
});
const commands = parseTrace(readFileSync(file, "utf8"));
rmSync(folder, { recursive: true });
const bars = proof.stdout.toString().trim().split("\n").map(parseWindow);

test("all comparisons under the trace ended well", () =>
  assert.is(proof.exitCode, 0, `${proof.stdout}\n${proof.stderr}`));

for (const { name, at, bar, directions } of comparisons) {
  test(`${name}: all payload is ${bar === undefined ? "in RAM" : "in the provider's BAR, none in RAM"}`, () => {
    const window = bars[bar ?? 1] ?? { start: 0, end: 0 };
    const expected = bar === undefined ? { inBar: 0, elsewhere: LENGTH } : { inBar: LENGTH, elsewhere: 0 };
    for (const direction of directions) {
      assert.equal(countPayload(commands, direction, at * GIB, LENGTH, window), expected, direction);
    }
  });
}

test.run();

function parseWindow(line: string): Window {
  const [start = 0, last = 0] = line.split(" ").map(Number);
  return { start, end: last + 1 };
}
