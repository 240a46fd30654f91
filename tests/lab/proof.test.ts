// SPDX-License-Identifier: MIT
// The independent proof: QEMU itself says where every payload byte of a copy went.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { p2pdma, runInLab } from "./boot.ts";
import { countPayload, PAYLOAD_EVENTS, parseTrace, type Window } from "./trace.ts";

const LENGTH = 16 << 20;
const GIB = 1 << 30;
const folder = mkdtempSync(join(tmpdir(), "p2pdma-proof-"));
const file = join(folder, "trace");

/** Each copy has LBA ranges of its own, so that its commands can be told from all others. */
const copies = [
  { name: "p2p, destination's CMB", args: "--via p2p --provider 0000:04:00.0", from: 1, to: 2, bar: 1 },
  { name: "p2p, source's CMB", args: "--via p2p --provider 0000:03:00.0", from: 3, to: 4, bar: 0 },
  { name: "p2p, character device", args: "--via p2p --allocator chardev", from: 5, to: 6, bar: 1 },
  { name: "ram", args: "--via ram", from: 7, to: 0.5, bar: undefined },
] as const;

const script = [
  "cut -d' ' -f1,2 /sys/bus/pci/devices/0000:03:00.0/resource | sed -n 3p",
  "cut -d' ' -f1,2 /sys/bus/pci/devices/0000:04:00.0/resource | sed -n 3p",
  ...copies.map(
    ({ args, from, to }) =>
      `${p2pdma.join(" ")} copy -q --allow-write ${args} --length ${LENGTH} --offset ${from * GIB} --seek ${to * GIB} /dev/nvme0n1 /dev/nvme1n1`,
  ),
].join(" && ");

const result = await runInLab({
  topology: "switch",
  command: ["bash", "-c", script],
  trace: { file, events: PAYLOAD_EVENTS },
});
const commands = parseTrace(readFileSync(file, "utf8"));
rmSync(folder, { recursive: true });
const bars = result.stdout.trim().split("\n").map(parseWindow);

test("all copies ended well", () => assert.is(result.exitCode, 0, `${result.stdout}\n${result.stderr}`));

for (const { name, from, to, bar } of copies) {
  test(`${name}: all payload is ${bar === undefined ? "in RAM" : "in the provider's BAR, none in RAM"}`, () => {
    const window = bars[bar ?? 1] ?? { start: 0, end: 0 };
    const read = countPayload(commands, "read", from * GIB, LENGTH, window);
    const written = countPayload(commands, "write", to * GIB, LENGTH, window);
    const expected = bar === undefined ? { inBar: 0, elsewhere: LENGTH } : { inBar: LENGTH, elsewhere: 0 };
    assert.equal({ read, written }, { read: expected, written: expected });
  });
}

test.run();

function parseWindow(line: string): Window {
  const [start = 0, last = 0] = line.split(" ").map(Number);
  return { start, end: last + 1 };
}
