// SPDX-License-Identifier: MIT
// Every way a copy can go, on real p2pmem: run inside the `switch` lab.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { copy } from "../../../core/copy/copy.ts";
import type { EngineName } from "../../../core/copy/engine.ts";
import type { Receipt } from "../../../core/copy/receipt.ts";
import { type CopyRequest, DEFAULTS } from "../../../core/copy/request.ts";
import { StopSwitch } from "../../../core/copy/stop.ts";
import { P2pdmaError } from "../../../core/errors.ts";
import { type AllocatorKind, readAvailable } from "../../../core/p2pmem/providers.ts";
import type { Bdf } from "../../../core/pci/bdf.ts";
import { native } from "../../../ffi/index.ts";
import { type Drive, drive, randomContent, readMedium, sys, writeMedium } from "./media.ts";
import { check, expect } from "./report.ts";

const CHUNK = 131072;
const MIB = 1 << 20;
const GUARD = 4096;
const ODD_SIZES = [0, 1, 511, 512, 4095, 4097, 3 * CHUNK + 513];
/** The one that everything is tried with, and maybe another that has to be there beside it. */
const [allocator = "sysfs", other] = process.argv.slice(2) as AllocatorKind[];
const engines: EngineName[] = ["uring", "sync"];
const [a, b, c] = [drive("A"), drive("B"), drive("C")];

const usedAllocators = new Set<AllocatorKind>();

async function run(source: string, destination: string, over: Partial<CopyRequest>): Promise<Receipt> {
  const request: CopyRequest = {
    ...{ ...DEFAULTS, source, destination, via: "p2p", chunkBytes: CHUNK, retries: 0 },
    allocator,
    ...over,
  };
  const receipt = await copy({ sys, native }, request, {
    ...{ permit: () => {}, stop: new StopSwitch(), warn: () => {} },
  });
  const path = receipt.staging.allocator;
  if (path !== null) usedAllocators.add(path.endsWith("/p2pmem/allocate") ? "sysfs" : "chardev");
  return receipt;
}

/** The receipt must prove what was asked for. */
function expectPeerToPeer(receipt: Receipt, provider: Drive, lengthBytes: number): void {
  expect(receipt.route.via === "p2p", `route is ${receipt.route.via}`);
  expect(receipt.staging.provider === provider.bdf, `provider is ${receipt.staging.provider}`);
  expect(
    /^all \d+ pages inside BAR \d$/.test(receipt.staging.residency ?? ""),
    `residency: ${receipt.staging.residency}`,
  );
  expect(receipt.bytes.peerToPeer === String(lengthBytes), `peer-to-peer bytes: ${receipt.bytes.peerToPeer}`);
  expect(receipt.bytes.throughRam === "0", `RAM bytes: ${receipt.bytes.throughRam}`);
}

/** Copies between raw drives and looks at every byte, and at the bytes around. */
async function blockCase(
  src: Drive,
  dst: Drive,
  provider: Drive,
  length: number,
  over: Partial<CopyRequest>,
) {
  const from = over.offset ?? BigInt(MIB);
  const to = over.seek ?? BigInt(2 * MIB);
  const padded = Math.ceil(length / 512) * 512;
  const content = randomContent(padded);
  const before = randomContent(padded + 2 * GUARD);
  if (padded > 0) writeMedium(src.path, from, content);
  writeMedium(dst.path, to - BigInt(GUARD), before);
  const receipt = await run(src.path, dst.path, {
    ...{ provider: provider.bdf, offset: from, seek: to, length: BigInt(length) },
    ...over,
  });
  expectPeerToPeer(receipt, provider, length);
  const expected = Buffer.concat([
    before.subarray(0, GUARD),
    content.subarray(0, length),
    before.subarray(GUARD + length),
  ]);
  expect(readMedium(dst.path, to - BigInt(GUARD), before.length).equals(expected), "destination differs");
}

async function blockCases(): Promise<void> {
  const roles: [string, Drive, Drive, Drive][] = [
    ["source-side", a, b, a],
    ["destination-side", a, b, b],
    ["third-party", a, c, b],
    ["third-party for a drive without CMB", c, a, b],
  ];
  for (const engine of engines) {
    for (const [role, src, dst, provider] of roles) {
      await check(`${allocator}, ${engine}: ${role} provider, 1 MiB`, () =>
        blockCase(src, dst, provider, MIB, { engine }),
      );
    }
    for (const size of ODD_SIZES) {
      await check(`${allocator}, ${engine}: ${size} bytes between drives`, () =>
        blockCase(a, b, b, size, { engine }),
      );
    }
    if (other) {
      await check(`${other} beside ${allocator}, ${engine}: between drives`, () =>
        blockCase(a, b, b, 3 * CHUNK + 513, { engine, allocator: other }),
      );
    }
  }
  await check("extents past 4 GiB on both sides", () =>
    blockCase(a, c, a, MIB, { offset: (5n << 30n) + 8192n, seek: (6n << 30n) + 4096n }),
  );
  await check("one slot, many chunks", () => blockCase(a, b, b, MIB, { depth: 1, chunkBytes: 4096 }));
  await check("more slots than chunks", () => blockCase(a, b, b, 3 * CHUNK, { depth: 64 }));
  await check("a chunk that is no power of two", () => blockCase(a, b, b, MIB, { chunkBytes: 12288 }));
}

function mountDrive(target: Drive, at: string): void {
  execFileSync("mkfs.ext4", [
    "-q",
    "-F",
    "-E",
    "lazy_itable_init=1,lazy_journal_init=1",
    target.path,
    "512M",
  ]);
  mkdirSync(at, { recursive: true });
  execFileSync("mount", ["-t", "ext4", target.path, at]);
}

/** Files are written and read with the page cache dropped, so that the media count. */
function settleFiles(): void {
  execFileSync("sync");
  writeFileSync("/proc/sys/vm/drop_caches", "3");
}

async function fileCase(size: number, over: Partial<CopyRequest>): Promise<void> {
  const content = randomContent(size);
  writeFileSync("/mnt/a/source", content);
  settleFiles();
  const receipt = await run("/mnt/a/source", "/mnt/b/copy", { provider: b.bdf, ...over });
  if (size > 0) expectPeerToPeer(receipt, b, size);
  settleFiles();
  expect(statSync("/mnt/b/copy").size === size, `size is ${statSync("/mnt/b/copy").size}`);
  expect(readFileSync("/mnt/b/copy").equals(content), "content differs");
}

async function fileCases(): Promise<void> {
  mountDrive(a, "/mnt/a");
  mountDrive(b, "/mnt/b");
  for (const engine of engines) {
    for (const size of ODD_SIZES) {
      await check(`${allocator}, ${engine}: ${size} bytes, file on ext4 to file on ext4`, () =>
        fileCase(size, { engine }),
      );
    }
    if (other) {
      await check(`${other} beside ${allocator}, ${engine}: file on ext4 to file on ext4`, () =>
        fileCase(4097, { engine, allocator: other }),
      );
    }
  }
  await check("a longer file is cut to size", async () => {
    writeFileSync("/mnt/b/copy", randomContent(MIB));
    await fileCase(4097, {});
  });
  await check("--seek keeps what lies around in a file", async () => {
    const old = randomContent(5 * 4096);
    const content = randomContent(4097);
    writeFileSync("/mnt/b/patched", old);
    writeFileSync("/mnt/a/patch", content);
    settleFiles();
    await run("/mnt/a/patch", "/mnt/b/patched", { seek: 4096n });
    settleFiles();
    const expected = Buffer.concat([old.subarray(0, 4096), content, old.subarray(8193)]);
    expect(readFileSync("/mnt/b/patched").equals(expected), "content differs");
  });
  await check("file to drive and drive to file", async () => {
    const content = randomContent(MIB + 4097);
    writeFileSync("/mnt/a/image", content);
    settleFiles();
    await run("/mnt/a/image", c.path, { provider: b.bdf });
    await run(c.path, "/mnt/b/image", { provider: b.bdf, length: BigInt(content.length) });
    settleFiles();
    expect(readFileSync("/mnt/b/image").equals(content), "content differs");
  });
  await check("a full file system is told before anything is written, and leaves no file", async () => {
    await expectError("SYSCALL", () => run(c.path, "/mnt/b/huge", { provider: b.bdf, length: 1n << 30n }));
    expect(statSync("/mnt/b/huge", { throwIfNoEntry: false }) === undefined, "the file is still there");
  });
  await check("tmpfs can't be peer-to-peer, and is refused as such", async () => {
    writeFileSync("/run/p2pdma/plain", "x");
    await expectError("P2P_REFUSED", () => run("/run/p2pdma/plain", c.path, {}));
  });
}

async function expectError(code: string, action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (error) {
    const found = error instanceof P2pdmaError ? error.code : "SYSCALL";
    expect(found === code, `error ${found}: ${(error as Error).message}`);
    return;
  }
  throw new Error("no error");
}

async function memoryCases(): Promise<void> {
  await check("a depth that p2pmem can't hold is refused when asked for", () =>
    expectError("NO_P2PMEM", () =>
      run(a.path, b.path, { provider: b.bdf, length: 64n << 20n, depth: 512, chunkBytes: CHUNK }),
    ),
  );
  await check("a chunk larger than all p2pmem is refused", () =>
    expectError("NO_P2PMEM", () =>
      run(a.path, c.path, { provider: b.bdf, length: 64n << 20n, chunkBytes: 48 << 20 }),
    ),
  );
  await check("the default depth shrinks to what is free", async () => {
    const receipt = await run(a.path, c.path, { provider: b.bdf, length: 16n << 20n, chunkBytes: 4 << 20 });
    expect(receipt.queueDepth >= 1 && receipt.queueDepth < 16, `depth is ${receipt.queueDepth}`);
  });
}

const freeAtStart = [a, b].map(({ bdf }) => readAvailable(sys, bdf as Bdf));
await blockCases();
await memoryCases();
await fileCases();
await check("no receipt names an allocator that was not asked for", () => {
  const asked = [allocator, other].filter(Boolean).sort();
  expect(String([...usedAllocators].sort()) === String(asked), [...usedAllocators].join());
});
await check("all p2pmem is back", () => {
  const freeNow = [a, b].map(({ bdf }) => readAvailable(sys, bdf as Bdf));
  expect(String(freeNow) === String(freeAtStart), `free ${freeNow}, at the start ${freeAtStart}`);
});
