// SPDX-License-Identifier: MIT
// Whole copies that move less than all, and between drives whose LBA sizes differ: run inside the `sparse` lab.
// Drives: A has LBAs of 512 bytes, B of 4096; N can copy by itself; O ends three LBAs of 512 behind a multiple of 4096.
import { execFileSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { copy } from "../../../core/copy/copy.ts";
import type { Receipt } from "../../../core/copy/receipt.ts";
import { type CopyRequest, DEFAULTS } from "../../../core/copy/request.ts";
import { StopSwitch } from "../../../core/copy/stop.ts";
import { P2pdmaError } from "../../../core/errors.ts";
import { native } from "../../../ffi/index.ts";
import { drive, randomContent, readMedium, sys, writeMedium } from "./media.ts";
import { check, expect } from "./report.ts";

const CHUNK = 131072;
const MIB = 1 << 20;
const M = BigInt(MIB);
const [a, b, n, o] = [drive("A"), drive("B"), drive("N"), drive("O")];

function run(source: string, destination: string, over: Partial<CopyRequest> = {}): Promise<Receipt> {
  const request: CopyRequest = {
    ...{ ...DEFAULTS, source, destination, via: "p2p", chunkBytes: CHUNK, retries: 0 },
    overwrite: ["partitions", "filesystem"],
    ...over,
  };
  return copy({ sys, native }, request, { permit: () => {}, stop: new StopSwitch(), warn: () => {} });
}

function expectEqual(found: unknown, wanted: unknown, what: string): void {
  expect(String(found) === String(wanted), `${what}: found ${found}, wanted ${wanted}`);
}

async function expectError(code: string, action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (error) {
    expectEqual(error instanceof P2pdmaError ? error.code : error, code, "error");
    return;
  }
  throw new Error("no error");
}

const roundUp = (length: number) => Math.ceil(length / 4096) * 4096;

/** Copies `length` bytes and looks at every byte, and at what follows in the last block and behind it. */
async function between(src: string, dst: string, length: number, over: Partial<CopyRequest>): Promise<void> {
  const [from, to] = [over.offset ?? 8n * M, over.seek ?? 32n * M];
  const content = randomContent(roundUp(length));
  const before = randomContent(roundUp(length) + 8192);
  writeMedium(src, from, content);
  writeMedium(dst, to - 4096n, before);
  const receipt = await run(src, dst, { offset: from, seek: to, length: BigInt(length), ...over });
  if (over.verify) expectEqual(receipt.verification?.equal, true, "verification");
  const expected = Buffer.concat([
    before.subarray(0, 4096),
    content.subarray(0, length),
    before.subarray(4096 + length),
  ]);
  expect(readMedium(dst, to - 4096n, before.length).equals(expected), "destination differs");
}

async function lbaCases(): Promise<void> {
  for (const [src, dst] of [
    [a, b],
    [b, a],
  ] as const) {
    const way = src === a ? "512 to 4096" : "4096 to 512";
    for (const length of [1, 511, 512, 4095, 4096, 4097, 3 * CHUNK + 513]) {
      await check(`${way}: ${length} bytes`, () => between(src.path, dst.path, length, {}));
    }
    await check(`${way}: through RAM`, () => between(src.path, dst.path, CHUNK + 513, { via: "ram" }));
    await check(`${way}: engine sync`, () => between(src.path, dst.path, CHUNK + 513, { engine: "sync" }));
    await check(`${way}: verified after`, () =>
      between(src.path, dst.path, 3 * CHUNK + 513, { verify: "after" }),
    );
    await check(`${way}: verified inline`, () =>
      between(src.path, dst.path, 3 * CHUNK + 513, { verify: "inline" }),
    );
    await check(`${way}: offsets off the larger LBA size are refused, nothing is written`, async () => {
      const before = readMedium(dst.path, 32n * M, 8192);
      await expectError("MISALIGNED", () =>
        run(src.path, dst.path, { offset: 512n, seek: 32n * M, length: 4096n }),
      );
      await expectError("MISALIGNED", () => run(src.path, dst.path, { seek: 32n * M + 512n, length: 4096n }));
      expect(readMedium(dst.path, 32n * M, 8192).equals(before), "destination changed");
    });
  }
}

/** Drive O is 4 MiB and three LBAs. */
async function oddDriveCases(): Promise<void> {
  const size = 4 * MIB + 3 * 512;
  const content = randomContent(size);
  await check("a whole drive of an odd number of LBAs of 512, onto LBAs of 4096", async () => {
    const before = randomContent(roundUp(size) + 4096);
    writeMedium(o.path, 0n, content);
    writeMedium(b.path, 64n * M, before);
    await run(o.path, b.path, { seek: 64n * M, verify: "after" });
    const expected = Buffer.concat([content, before.subarray(size)]);
    expect(readMedium(b.path, 64n * M, before.length).equals(expected), "destination differs");
  });
  await check("and back, to the last LBA", async () => {
    writeMedium(o.path, 0n, randomContent(size));
    await run(b.path, o.path, { offset: 64n * M, length: BigInt(size), verify: "after" });
    expect(readMedium(o.path, 0n, size).equals(content), "destination differs");
  });
  await check("one byte more does not fit", () =>
    expectError("TOO_SMALL", () => run(b.path, o.path, { offset: 64n * M, length: BigInt(size + 1) })),
  );
}

/** A file of 16 MiB and a bit: 1 MiB of data at 2 MiB, and its last 100 bytes. */
function makeSparse(path: string): Buffer {
  const content = Buffer.alloc(16 * MIB + 700);
  randomContent(MIB).copy(content, 2 * MIB);
  randomContent(100).copy(content, content.length - 100);
  const fd = openSync(path, "w");
  ftruncateSync(fd, content.length);
  writeSync(fd, content, 2 * MIB, MIB, 2 * MIB);
  writeSync(fd, content, content.length - 100, 100, content.length - 100);
  closeSync(fd);
  settleFiles();
  return content;
}

function settleFiles(): void {
  execFileSync("sync");
  writeFileSync("/proc/sys/vm/drop_caches", "3");
}

async function sparseCases(): Promise<void> {
  mkdirSync("/mnt/n", { recursive: true });
  execFileSync("mkfs.ext4", ["-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1", n.path, "512M"]);
  execFileSync("mount", ["-t", "ext4", n.path, "/mnt/n"]);
  const content = makeSparse("/mnt/n/source");
  const holeBytes = 15 * MIB;
  await check("holes onto a drive that held something else: Write Zeroes, and every byte right", async () => {
    for (const [dst, padded] of [
      [a, 512],
      [b, 4096],
    ] as const) {
      const length = Math.ceil(content.length / padded) * padded;
      const before = randomContent(length + 4096);
      writeMedium(dst.path, 7168n * M, before);
      const receipt = await run("/mnt/n/source", dst.path, { seek: 7168n * M });
      expectEqual([receipt.sparse.method, receipt.sparse.made], ["SEEK_DATA", "write-zeroes"], "holes");
      expectEqual(receipt.sparse.holeBytes, holeBytes, "bytes in holes");
      const expected = Buffer.concat([content, before.subarray(content.length)]);
      expect(readMedium(dst.path, 7168n * M, before.length).equals(expected), "destination differs");
    }
  });
  await check("onto a new file: its holes are just left", async () => {
    const receipt = await run("/mnt/n/source", "/mnt/n/new");
    expectEqual(receipt.sparse.made, "left", "made");
    settleFiles();
    expect(readFileSync("/mnt/n/new").equals(content), "content differs");
    expect(statSync("/mnt/n/new").blocks * 512 < 2 * MIB, `${statSync("/mnt/n/new").blocks} blocks`);
  });
  await check("over a file that was full: its holes are punched", async () => {
    writeFileSync("/mnt/n/full", randomContent(18 * MIB));
    settleFiles();
    const receipt = await run("/mnt/n/source", "/mnt/n/full");
    expectEqual(receipt.sparse.made, "punched", "made");
    settleFiles();
    expect(readFileSync("/mnt/n/full").equals(content), "content differs");
    expect(statSync("/mnt/n/full").blocks * 512 < 2 * MIB, `${statSync("/mnt/n/full").blocks} blocks`);
  });
  await check("over a file that was shorter: it ends as long as the source", async () => {
    writeFileSync("/mnt/n/short", randomContent(3 * MIB + 1));
    settleFiles();
    await run("/mnt/n/source", "/mnt/n/short");
    settleFiles();
    expect(readFileSync("/mnt/n/short").equals(content), "content differs");
  });
  await check("--sparse never moves all of it", async () => {
    const receipt = await run("/mnt/n/source", "/mnt/n/moved", { sparse: "never" });
    expectEqual([receipt.sparse.method, receipt.sparse.holeBytes], ["none", 0], "holes");
    settleFiles();
    expect(readFileSync("/mnt/n/moved").equals(content), "content differs");
    expect(statSync("/mnt/n/moved").blocks * 512 >= 16 * MIB, `${statSync("/mnt/n/moved").blocks} blocks`);
  });
  execFileSync("umount", ["/mnt/n"]);
}

async function byDriveCases(): Promise<void> {
  await check("--via nvme-copy: every byte, and none through anything", async () => {
    const before = randomContent(4 * MIB + 1024);
    const content = randomContent(4 * MIB + 512);
    writeMedium(n.path, 1024n * M, content);
    writeMedium(n.path, 2048n * M, before);
    const over = { offset: 1024n * M, seek: 2048n * M, length: BigInt(content.length) };
    const receipt = await run(n.path, n.path, { via: "nvme-copy", ...over });
    expectEqual(receipt.route.via, "nvme-copy", "via");
    const expected = Buffer.concat([content, before.subarray(content.length)]);
    expect(readMedium(n.path, 2048n * M, before.length).equals(expected), "destination differs");
  });
  await check("--via nvme-copy between two drives is refused with the reason", () =>
    expectError("NOT_COPYABLE", () => run(n.path, a.path, { via: "nvme-copy", length: M })),
  );
  await check("--via nvme-copy on a drive that allows no LBA is refused with the reason", () =>
    expectError("NOT_COPYABLE", () => run(a.path, a.path, { via: "nvme-copy", length: M, seek: 64n * M })),
  );
}

await lbaCases();
await oddDriveCases();
await sparseCases();
await byDriveCases();
