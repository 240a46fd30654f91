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
  { name: "p2p, destination's CMB", args: "--via p2p --provider 0000:04:00.0", from: 1, to: 2, bars: [1] },
  { name: "p2p, source's CMB", args: "--via p2p --provider 0000:03:00.0", from: 3, to: 4, bars: [0] },
  { name: "p2p, character device", args: "--via p2p --allocator chardev", from: 5, to: 6, bars: [1] },
  { name: "ram", args: "--via ram", from: 7, to: 0.5, bars: [] },
  { name: "p2p, both CMBs", args: "--via p2p --provider nvme0,nvme1", from: 1.5, to: 2.5, bars: [0, 1] },
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

for (const { name, from, to, bars: lenders } of copies) {
  const place = lenders.length === 0 ? "in RAM" : "in the BARs of its providers, none in RAM";
  test(`${name}: all payload is ${place}`, () => {
    for (const [direction, at] of [
      ["read", from],
      ["write", to],
    ] as const) {
      const parts = bars.map((bar) => countPayload(commands, direction, at * GIB, LENGTH, bar));
      const shares = parts.map(({ inBar }) => inBar / LENGTH);
      const [first] = parts;
      assert.is(first && first.inBar + first.elsewhere, LENGTH, direction);
      // Chunks are shared out in turn; which slot is free first is up to the drives.
      for (const [bar, share] of shares.entries()) {
        const [least, most] = shareOf(lenders, bar);
        assert.ok(share >= least && share <= most, `${direction}: ${share} of it in BAR ${bar}`);
      }
      assert.is(
        shares.reduce((sum, share) => sum + share, 0),
        lenders.length === 0 ? 0 : 1,
        direction,
      );
    }
  });
}

test.run();

function parseWindow(line: string): Window {
  const [start = 0, last = 0] = line.split(" ").map(Number);
  return { start, end: last + 1 };
}

function shareOf(lenders: readonly number[], bar: number): [number, number] {
  if (!lenders.includes(bar)) return [0, 0];
  return lenders.length === 1 ? [1, 1] : [0.25, 0.75];
}
