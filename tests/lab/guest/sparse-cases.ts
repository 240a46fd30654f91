// SPDX-License-Identifier: MIT
// What drives tell about themselves, holes, zeroing, and the drive's own copy: run inside the `sparse` lab.
// Drives: A and B as QEMU makes them, B with LBAs of 4096 bytes; N with a namespace whose Copy has limits.
import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { readDestination, readSource } from "../../../core/copy/endpoint.ts";
import { canNvmeCopy, type NvmeCopyTarget, startCopyByDrive } from "../../../core/copy/nvme-copy.ts";
import { resolveRange } from "../../../core/copy/range.ts";
import { mapSource, type SourceMap } from "../../../core/copy/sparse.ts";
import { zeroRange } from "../../../core/copy/zero.ts";
import { compareTargetOf } from "../../../core/nvme/compare.ts";
import { identifyNamespace, type NamespaceIdentity } from "../../../core/nvme/identify.ts";
import { type Extent, native, type OpenFile } from "../../../ffi/index.ts";
import { drive, randomContent, readMedium, sys, writeMedium } from "./media.ts";
import { check, expect } from "./report.ts";

const KIB = 1024;
const MIB = 1 << 20;
const GIB = 1n << 30n;
const env = { sys, native };
const [a, b, n] = [drive("A"), drive("B"), drive("N")];
const share = process.argv[2] ?? "/tmp";
const nameOf = (path: string) => path.replace("/dev/", "");
const is = (found: unknown, wanted: unknown, what: string) =>
  expect(String(found) === String(wanted), `${what}: found ${found}, wanted ${wanted}`);

function identityOf(path: string): NamespaceIdentity {
  const identity = identifyNamespace(env, nameOf(path));
  if (typeof identity === "string") throw new Error(identity);
  return identity;
}

async function withFile<T>(path: string, flags: number, use: (file: OpenFile) => T | Promise<T>): Promise<T> {
  const file = native.open(path, flags);
  try {
    return await use(file);
  } finally {
    native.close(file);
  }
}

function nvmeCli(command: string, path: string): Record<string, number> {
  return JSON.parse(execFileSync("nvme", [command, path, "-o", "json"], { encoding: "utf8" }));
}

/** A DOS partition table of two: 1 MiB to 17 MiB, and 33 MiB to 49 MiB. */
function partition(path: string): void {
  const table = Buffer.alloc(512);
  for (const [index, start] of [MIB, 33 * MIB].entries()) {
    const at = 446 + index * 16;
    table.writeUInt8(0x83, at + 4);
    table.writeUInt32LE(start / 512, at + 8);
    table.writeUInt32LE((16 * MIB) / 512, at + 12);
  }
  table.writeUInt16LE(0xaa55, 510);
  writeMedium(path, 0n, table);
  execFileSync("blockdev", ["--rereadpt", path]);
}

async function identityCases(): Promise<void> {
  for (const { path } of [a, b, n]) {
    await check(`${nameOf(path)}: identity is what nvme-cli reads`, () => {
      const identity = identityOf(path);
      const [controller, namespace] = [nvmeCli("id-ctrl", path), nvmeCli("id-ns", path)];
      is(identity.sizeLbas, namespace.nsze, "NSZE");
      is(identity.mdtsBytes, 4096 * 2 ** (controller.mdts ?? 0), "MDTS");
      const { compare, datasetManagement, writeZeroes, verify, copy } = identity.oncs;
      const bits = [compare, false, datasetManagement, writeZeroes, false, false, false, verify, copy];
      const oncs = bits.reduce((sum, isSet, index) => sum + (isSet ? 2 ** index : 0), 0);
      is(oncs, (controller.oncs ?? 0) & 0x18d, "ONCS");
      is(identity.hasLbaStatus, ((controller.oacs ?? 0) & 0x200) !== 0, "OACS");
      const { rangeLbas, commandLbas, ranges } = identity.copyLimits;
      is(
        [rangeLbas, commandLbas, ranges - 1],
        [namespace.mssrl, namespace.mcl, namespace.msrc],
        "Copy limits",
      );
      is(identity.deallocatedReads, namespace.dlfeat === 1 ? "zeroes" : "?", "DLFEAT");
      is(identity.charDevice, path.replace("/dev/nvme", "/dev/ng"), "character device");
    });
  }
  await check("LBA sizes", () => {
    is(
      [a, b, n].map(({ path }) => identityOf(path).lbaBytes),
      [512, 4096, 512],
      "LBA bytes",
    );
  });
  await check("identifiers: N has an EUI-64, A none", () => {
    is(identityOf(n.path).eui64, "5254000000000001", "EUI-64");
    is(identityOf(a.path).eui64, undefined, "EUI-64");
  });
  await check("what is no NVMe namespace is told so", () => {
    is(identifyNamespace(env, "loop0"), '"loop0" is no NVMe namespace', "reason");
  });
  await check("without permission the reason says so", () => {
    process.seteuid?.(65534);
    const identity = identifyNamespace(env, nameOf(a.path));
    process.seteuid?.(0);
    is(
      identity,
      `"${nameOf(a.path)}" can't be asked what it supports: not permitted (needs CAP_SYS_ADMIN)`,
      "reason",
    );
  });
}

/** Sends one Compare of RAM with the medium. */
function compare(file: OpenFile, nsid: number, lbaBytes: number, offset: bigint, data: Buffer): number {
  const lba = offset / BigInt(lbaBytes);
  const cdw12 = data.length / lbaBytes - 1;
  const words = { cdw10: Number(lba & 0xffff_ffffn), cdw11: Number(lba >> 32n), cdw12 };
  return native.nvmeIoCommand(file, { opcode: 0x05, nsid, ...words, data });
}

async function compareCases(): Promise<void> {
  for (const [path, at] of [
    [a.path, 5n * GIB], // behind the file system
    [b.path, 5n * GIB],
    [`${n.path}p2`, 8n * BigInt(MIB)],
  ] as const) {
    await check(
      `${nameOf(path)}: a Compare of maxBytes at the right place, and one flipped bit`,
      async () => {
        const target = compareTargetOf(env, readSource(sys, native, path));
        if (typeof target === "string") throw new Error(target);
        const { charDevice, nsid, lbaBytes, baseBytes, maxBytes } = target;
        const content = native.alignedBuffer(maxBytes);
        randomContent(maxBytes).copy(content);
        writeMedium(path, at, content);
        await withFile(charDevice, constants.O_RDWR, (file) => {
          is(compare(file, nsid, lbaBytes, baseBytes + at, content), 0, "equal");
          content.writeUInt8(content.readUInt8(maxBytes - 1) ^ 1, maxBytes - 1);
          is(compare(file, nsid, lbaBytes, baseBytes + at, content) & 0x7ff, 0x285, "one bit");
        });
      },
    );
  }
  await check("a file is not compared by the drive", () => {
    const target = compareTargetOf(env, readSource(sys, native, "/mnt/a/holes"));
    expect(typeof target === "string" && target.includes("is a file"), String(target));
  });
}

function mountA(): void {
  execFileSync("mkfs.ext4", ["-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1", a.path, "512M"]);
  mkdirSync("/mnt/a", { recursive: true });
  execFileSync("mount", ["-t", "ext4", a.path, "/mnt/a"]);
}

/** A file of `size` bytes with data at these offsets, the rest a hole. */
function makeSparse(
  path: string,
  size: number,
  parts: readonly (readonly [at: number, length: number])[],
): void {
  const fd = openSync(path, "w");
  ftruncateSync(fd, size);
  for (const [at, length] of parts) writeSync(fd, randomContent(length), 0, length, at);
  closeSync(fd);
}

async function mapOf(path: string, chunkBytes = 64 * KIB): Promise<SourceMap> {
  const source = readSource(sys, native, path);
  const range = resolveRange(source, readDestination(sys, native, "/mnt/a/absent"), {});
  return withFile(path, constants.O_RDONLY, (file) =>
    mapSource(native, sys, file, source, range, chunkBytes),
  );
}

const shown = (extents: readonly Extent[]) =>
  extents.map(({ srcOffset, lengthBytes }) => `${srcOffset}+${lengthBytes}`).join(" ");

async function mapCases(): Promise<void> {
  const path = "/mnt/a/holes";
  makeSparse(path, 8 * MIB, [
    [MIB, 64 * KIB],
    [3 * MIB + 100, 10],
  ]);
  await check("holes of a file are found, their ends at block boundaries", async () => {
    execFileSync("sync");
    const map = await mapOf(path);
    is(map.method, "SEEK_DATA", "method");
    is(shown(map.data), `${MIB}+${64 * KIB} ${3 * MIB}+4096`, "data");
    is(map.holeBytes, 8 * MIB - 68 * KIB, "bytes in holes");
  });
  await check("what is still in the page cache is data", async () => {
    const fd = openSync(path, "r+");
    writeSync(fd, randomContent(4096), 0, 4096, 5 * MIB);
    closeSync(fd);
    is(
      shown((await mapOf(path)).data)
        .split(" ")
        .at(-1),
      `${5 * MIB}+4096`,
      "last data",
    );
  });
  await check("preallocated and never written is a hole", async () => {
    execFileSync("fallocate", ["-l", "4M", "/mnt/a/unwritten"]);
    is((await mapOf("/mnt/a/unwritten")).holeBytes, 4 * MIB, "bytes in holes");
  });
  await check("holes shorter than a chunk are moved", async () => {
    is((await mapOf(path, 4 * MIB)).holeBytes, 0, "bytes in holes");
  });
  await check("a file of a thousand short holes ends in few extents", async () => {
    const parts = Array.from({ length: 1000 }, (_, index) => [index * 8192, 4096] as const);
    makeSparse("/mnt/a/comb", 16 * MIB, parts);
    const map = await mapOf("/mnt/a/comb");
    is(map.data.length, 1, "extents");
    is(map.holes.length, 1, "holes");
  });
  await check(
    "a drive that can't tell what is deallocated is moved as a whole, with the reason",
    async () => {
      const source = readSource(sys, native, n.path);
      const range = resolveRange(source, readDestination(sys, native, "/mnt/a/absent"), {});
      const map = await withFile(n.path, constants.O_RDONLY, (file) =>
        mapSource(native, sys, file, source, range, MIB),
      );
      is(map.method, "none", "method");
      is(map.reason, `"${nameOf(n.path)}" has no Get LBA Status command`, "reason");
      is(shown(map.data), `0+${source.sizeBytes}`, "data");
    },
  );
}

/** Fills a range and its surroundings, zeroes the range, looks at every byte. */
async function zeroCase(path: string, offset: bigint, length: number): Promise<void> {
  const guard = 8192;
  const before = randomContent(length + 2 * guard);
  writeMedium(path, offset - BigInt(guard), before);
  const endpoint = readDestination(sys, native, path);
  const flags = constants.O_RDWR | constants.O_DIRECT | (endpoint.kind === "block" ? constants.O_EXCL : 0);
  const result = await withFile(path, flags, (file) =>
    zeroRange(native, file, endpoint, offset, BigInt(length)),
  );
  is(result.method, endpoint.kind === "file" ? "punched" : "write-zeroes", "method");
  is(result.zeroedBytes, length, "bytes");
  const after = readMedium(path, offset - BigInt(guard), before.length);
  expect(
    after.subarray(guard, guard + length).every((byte) => byte === 0),
    "not all zeroes",
  );
  expect(after.subarray(0, guard).equals(before.subarray(0, guard)), "bytes before changed");
  expect(after.subarray(guard + length).equals(before.subarray(guard + length)), "bytes behind changed");
}

async function zeroCases(): Promise<void> {
  for (const [path, offset, length] of [
    [n.path, 64n * BigInt(MIB), MIB],
    [n.path, 64n * BigInt(MIB) + 512n, 512],
    [n.path, 5n * GIB, MIB],
    [`${n.path}p1`, 2n * BigInt(MIB), MIB],
    [b.path, 64n * BigInt(MIB), MIB],
    [b.path, 64n * BigInt(MIB) + 4096n, 4096],
    ["/mnt/a/full", BigInt(MIB), MIB],
  ] as const) {
    await check(
      `${nameOf(path)}: ${length} bytes at ${offset} read as zeroes, nothing around changes`,
      () => {
        if (path === "/mnt/a/full") writeFileSync(path, randomContent(4 * MIB));
        return zeroCase(path, offset, length);
      },
    );
  }
  await check("a hole takes no space any more", () => {
    const blocks = Number(execFileSync("stat", ["-c", "%b", "/mnt/a/full"], { encoding: "utf8" }));
    expect(blocks <= (3 * MIB + 64 * KIB) / 512, `${blocks} blocks`);
  });
  await check("a range that is no multiple of the LBA size is refused", async () => {
    const endpoint = readDestination(sys, native, b.path);
    try {
      await withFile(b.path, constants.O_RDWR, (file) => zeroRange(native, file, endpoint, 512n, 4096n));
    } catch (error) {
      is((error as { code?: string }).code, "EINVAL", "code");
      return;
    }
    throw new Error("no error");
  });
  await check("zeroing stops between pieces and says how far it came", async () => {
    const endpoint = readDestination(sys, native, b.path);
    let told = 0n;
    const result = await withFile(b.path, constants.O_RDWR, (file) =>
      zeroRange(native, file, endpoint, GIB, 3n * GIB, {
        shouldStop: () => told >= GIB,
        onProgress: (bytes) => {
          told = bytes;
        },
      }),
    );
    is(result.zeroedBytes, GIB, "bytes");
  });
  await check("a file system without holes leaves it to the caller", async () => {
    const path = `${share}/plain`;
    writeFileSync(path, randomContent(64 * KIB));
    const endpoint = readDestination(sys, native, path);
    const result = await withFile(path, constants.O_RDWR, (file) =>
      zeroRange(native, file, endpoint, 0n, BigInt(64 * KIB)),
    );
    is(result.method, undefined, "method");
  });
}

const CHUNK = MIB;

function targetOf(src: string, dst: string): NvmeCopyTarget | string {
  const [from, to] = [readSource(sys, native, src), readDestination(sys, native, dst)];
  return canNvmeCopy(identifyNamespace(env, nameOf(src)), from, to);
}

interface ByDrive {
  readonly src: string;
  readonly dst: string;
  readonly extents: readonly Extent[];
  readonly bitmap?: Buffer;
  readonly limits?: Partial<NamespaceIdentity["copyLimits"]>;
  readonly onStart?: (cancel: () => void) => void;
}

async function copyByDrive({ src, dst, extents, bitmap = Buffer.alloc(8), limits, onStart }: ByDrive) {
  const found = targetOf(src, dst);
  if (typeof found === "string") throw new Error(found);
  const { identity } = found;
  const target = { ...found, identity: { ...identity, copyLimits: { ...identity.copyLimits, ...limits } } };
  return withFile(src, constants.O_RDONLY | constants.O_DIRECT, (srcFile) =>
    withFile(dst, constants.O_RDWR | constants.O_DIRECT, async (dstFile) => {
      const request = { extents, chunkBytes: CHUNK, bitmap, depth: 4 };
      const run = await startCopyByDrive(native, target, srcFile, dstFile, request);
      onStart?.(run.cancel);
      const result = await run.done;
      await native.flush(dstFile);
      return { result, progress: run.progress(), bitmap };
    }),
  );
}

/** Copies and looks at every byte, and at the bytes around. */
async function byDriveCase(
  src: string,
  dst: string,
  from: bigint,
  to: bigint,
  length: number,
): Promise<void> {
  const guard = 4096;
  const content = randomContent(length);
  const before = randomContent(length + 2 * guard);
  writeMedium(src, from, content);
  writeMedium(dst, to - BigInt(guard), before);
  const extents = [{ srcOffset: from, dstOffset: to, lengthBytes: BigInt(length) }];
  const { result, progress } = await copyByDrive({ src, dst, extents });
  is(JSON.stringify(result), '"done"', "result");
  is(progress.bytesDone, length, "bytes");
  const after = readMedium(dst, to - BigInt(guard), before.length);
  expect(after.subarray(guard, guard + length).equals(content), "content differs");
  expect(after.subarray(0, guard).equals(before.subarray(0, guard)), "bytes before changed");
  expect(after.subarray(guard + length).equals(before.subarray(guard + length)), "bytes behind changed");
}

function buffered(path: string, offset: number, length: number): Buffer {
  const out = Buffer.alloc(length);
  const fd = openSync(path, "r");
  readSync(fd, out, 0, length, offset);
  closeSync(fd);
  return out;
}

async function copyCases(): Promise<void> {
  const M = BigInt(MIB);
  await check("within the namespace, many commands", () =>
    byDriveCase(n.path, n.path, 100n * M, 200n * M, 8 * MIB + 512),
  );
  await check("one LBA", () => byDriveCase(n.path, n.path, 100n * M + 512n, 200n * M + 1024n, 512));
  await check("past 4 GiB", () => byDriveCase(n.path, n.path, 5n * GIB, 5n * GIB + 512n * M, 2 * MIB));
  await check("from partition to partition", () =>
    byDriveCase(`${n.path}p1`, `${n.path}p2`, 3n * M, 5n * M, 2 * MIB),
  );
  await check("from partition to the drive behind it", () =>
    byDriveCase(`${n.path}p1`, n.path, 3n * M, 300n * M, MIB),
  );
  await check("what the page cache holds is written before, and dropped after", async () => {
    const src = `${n.path}p1`;
    const content = randomContent(MIB);
    writeMedium(src, 9n * M, randomContent(MIB));
    writeMedium(n.path, 410n * M, randomContent(MIB));
    const fds = [openSync(src, "r+"), openSync(n.path, "r")]; // a device's cache lasts as long as it is open
    buffered(n.path, 410 * MIB, MIB);
    writeSync(fds[0] ?? -1, content, 0, MIB, 9 * MIB);
    const extents = [{ srcOffset: 9n * M, dstOffset: 410n * M, lengthBytes: M }];
    await copyByDrive({ src, dst: n.path, extents });
    const found = buffered(n.path, 410 * MIB, MIB);
    fds.forEach(closeSync);
    expect(found.equals(content), "stale content");
  });
  await check("what is read through the page cache during the copy is not kept", async () => {
    const content = randomContent(16 * MIB);
    writeMedium(n.path, 520n * M, content);
    writeMedium(n.path, 540n * M, randomContent(16 * MIB));
    const fd = openSync(n.path, "r");
    const extents = [{ srcOffset: 520n * M, dstOffset: 540n * M, lengthBytes: 16n * M }];
    await copyByDrive({ src: n.path, dst: n.path, extents, onStart: () => buffered(n.path, 555 * MIB, MIB) });
    const found = buffered(n.path, 555 * MIB, MIB);
    closeSync(fd);
    expect(found.equals(content.subarray(15 * MIB)), "stale content");
  });
  await check("chunks whose bits are set are left alone, the others are set", async () => {
    const [content, old] = [randomContent(4 * MIB), randomContent(4 * MIB)];
    writeMedium(n.path, 420n * M, content);
    writeMedium(n.path, 430n * M, old);
    const extents = [{ srcOffset: 420n * M, dstOffset: 430n * M, lengthBytes: 4n * M }];
    const { bitmap } = await copyByDrive({
      src: n.path,
      dst: n.path,
      extents,
      bitmap: Buffer.from([0b0101]),
    });
    is(bitmap[0], 0b1111, "bitmap");
    const parts = [old, content, old, content].map((from, index) =>
      from.subarray(index * MIB, (index + 1) * MIB),
    );
    expect(readMedium(n.path, 430n * M, 4 * MIB).equals(Buffer.concat(parts)), "content differs");
  });
  await check("more than the drive takes in a range fails with its status, and where", async () => {
    const extents = [{ srcOffset: 440n * M, dstOffset: 450n * M, lengthBytes: M }];
    const { result } = await copyByDrive({ src: n.path, dst: n.path, extents, limits: { rangeLbas: 65 } });
    expect(typeof result === "object" && (result.status & 0x7ff) === 0x006, JSON.stringify(result, String));
  });
  await check("cancelled: what is done is in the bitmap, and resuming does the rest", async () => {
    const content = randomContent(16 * MIB);
    writeMedium(n.path, 460n * M, content);
    const extents = [{ srcOffset: 460n * M, dstOffset: 500n * M, lengthBytes: 16n * M }];
    const job = { src: n.path, dst: n.path, extents, bitmap: Buffer.alloc(8) };
    const first = await copyByDrive({ ...job, onStart: (cancel) => cancel() });
    is(first.result, "cancelled", "result");
    const second = await copyByDrive(job);
    is(second.result, "done", "result");
    is(first.progress.chunksDone + second.progress.chunksDone, 16, "chunks in both runs");
    expect(readMedium(n.path, 500n * M, 16 * MIB).equals(content), "content differs");
  });
  await check("overlap is refused", async () => {
    const extents = [{ srcOffset: 0n, dstOffset: 512n, lengthBytes: 1024n }];
    try {
      await copyByDrive({ src: `${n.path}p1`, dst: `${n.path}p1`, extents });
    } catch (error) {
      expect((error as Error).message.includes("overlap"), String(error));
      return;
    }
    throw new Error("no error");
  });
  await check("a drive whose Copy may hold no LBA is not asked", () => {
    const reason = targetOf(b.path, b.path);
    expect(typeof reason === "string" && reason.includes("may hold no LBA"), String(reason));
  });
  await check("two namespaces, and files, are not copied so", () => {
    expect(String(targetOf(n.path, b.path)).includes("are not on one namespace"), "two drives");
    expect(String(targetOf(n.path, "/mnt/a/holes")).includes("is a file"), "a file");
  });
}

partition(n.path);
if (!existsSync(`${n.path}p2`)) throw new Error("no partitions");
mountA();
await mapCases();
await identityCases();
await compareCases();
await zeroCases();
await copyCases();
execFileSync("umount", ["/mnt/a"]);
