// SPDX-License-Identifier: MIT
// JavaScript stays out of the way: what a copy costs does not grow with its length.
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Receipt } from "../../core/copy/receipt.ts";
import { captureIn, startLab } from "../../lab/run.ts";
import { p2pdma } from "./boot.ts";

const copy = (length: string) =>
  `${p2pdma.join(" ")} copy --json --via p2p --allow-write --length ${length} /dev/nvme0n1 /dev/nvme1n1`;

/** A copy that would take minutes, ended by a signal once data move; prints its exit code and what p2pmem is free then. */
const interrupted = (signal: string) => `
  : >/tmp/events; ${copy("15G")} --progress=json 2>/tmp/events & pid=$!
  until grep -q '"event":"progress"' /tmp/events || ! kill -0 $pid; do sleep 0.1; done
  kill -s ${signal} $pid; wait $pid; echo "$?"; grep -v '"event":"progress"' /tmp/events >&2
  cat /sys/bus/pci/devices/*/p2pmem/available`;

const lab = await startLab({ topology: "fast" });
/** Twice each: what Node needs at most varies by itself. */
const inTurn = ["64M", "4G", "64M", "4G"].map(copy).join(" && echo , && ");
const sizes = await captureIn(lab, { command: ["bash", "-c", inTurn] });
const signals = await captureIn(lab, {
  command: [
    "bash",
    "-c",
    `${interrupted("INT")}; ${interrupted("TERM")}
    cat /sys/bus/pci/devices/*/p2pmem/size`,
  ],
});
await lab.close();
const { stdout, stderr, exitCode } = sizes;
const receipts = exitCode === 0 ? (JSON.parse(`[${stdout}]`) as Receipt[]) : [];
const [small, large] = receipts;
const least = (...ofThese: number[]) =>
  Math.min(...ofThese.map((index) => receipts[index]?.counters.maxResidentBytes ?? 0));

test("both copies ended well", () => assert.is(exitCode, 0, stderr));

test("the memory of a 4 GiB copy is that of a 64 MiB one, within 10 %", () => {
  const [few, many] = [least(0, 2), least(1, 3)];
  assert.ok(few > 0 && Math.abs(many / few - 1) < 0.1, `${few} and ${many} bytes`);
});

test("the number of native calls does not grow with the number of chunks", () => {
  assert.is(large?.lengthBytes, String(2 ** 32));
  assert.is(large?.counters.nativeCalls, small?.counters.nativeCalls);
});

test("SIGINT ends a copy with 130, SIGTERM with 143, and all p2pmem is back", () => {
  const [first, freeAfterFirst, second, freeAfterSecond, all] = signals.stdout.trim().split("\n");
  assert.equal([first, second], ["130", "143"], signals.stderr);
  assert.equal([freeAfterFirst, freeAfterSecond], [all, all]);
  assert.match(
    signals.stderr,
    /SIGINT: finishing what is in flight[\s\S]*Interrupted: \\".*\\" holds \d+ of \d+ bytes/,
  );
});

test.run();
