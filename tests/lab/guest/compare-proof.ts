// SPDX-License-Identifier: MIT
// The comparisons that the emulator's trace judges: each 16 MiB, in an LBA range of its own.
import { readFileSync } from "node:fs";
import { CHUNK, compare } from "./compare-kit.ts";
import { drive } from "./media.ts";

const GIB = 1n << 30n;
const LENGTH = 16n << 20n;
const [a, b] = [drive("A"), drive("B")];

/** Zeros on both sides: the drives are new. */
async function run(at: bigint, over: object): Promise<void> {
  const { result, progress } = await compare({
    ...{ source: a, destination: b, srcOffset: at, dstOffset: at, lengthBytes: LENGTH, stages: "compare" },
    ...over,
  });
  const isDone = result === 0 && progress.chunksDone === LENGTH / BigInt(CHUNK);
  if (!isDone) throw new Error(`comparison at ${at}: ${result}`);
}

for (const { bdf } of [a, b]) {
  const line = readFileSync(`/sys/bus/pci/devices/${bdf}/resource`, "utf8").split("\n")[2] ?? "";
  process.stdout.write(`${line.split(" ").slice(0, 2).join(" ")}\n`);
}
await run(GIB, { provider: b });
await run(2n * GIB, { provider: a });
await run(3n * GIB, { provider: b, viaIoctl: true });
await run(4n * GIB, { provider: b, stages: "copy+compare" });
await run(5n * GIB, {});
await run(6n * GIB, { viaIoctl: true });
