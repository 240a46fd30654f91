// SPDX-License-Identifier: MIT
// JavaScript stays out of the way: what a copy costs does not grow with its length.
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Receipt } from "../../core/copy/receipt.ts";
import { p2pdma, runInLab } from "./boot.ts";

const copy = (length: string) =>
  `${p2pdma.join(" ")} copy --json --via p2p --allow-write --length ${length} /dev/nvme0n1 /dev/nvme1n1`;

const { stdout, stderr, exitCode } = await runInLab({
  topology: "fast",
  command: ["bash", "-c", `${copy("64M")} && echo , && ${copy("4G")}`],
});
const [small, large] = exitCode === 0 ? (JSON.parse(`[${stdout}]`) as [Receipt, Receipt]) : [];

test("both copies ended well", () => assert.is(exitCode, 0, stderr));

test("the memory of a 4 GiB copy is that of a 64 MiB one, within 10 %", () => {
  const [few, many] = [small?.counters.maxResidentBytes ?? 0, large?.counters.maxResidentBytes ?? 0];
  assert.ok(few > 0 && Math.abs(many / few - 1) < 0.1, `${few} and ${many} bytes`);
});

test("the number of native calls does not grow with the number of chunks", () => {
  assert.is(large?.lengthBytes, String(2 ** 32));
  assert.is(large?.counters.nativeCalls, small?.counters.nativeCalls);
});

test.run();
