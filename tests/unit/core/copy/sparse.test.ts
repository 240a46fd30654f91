// SPDX-License-Identifier: MIT
import { closeSync, constants, ftruncateSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { resolveRange } from "../../../../core/copy/range.ts";
import { findHoles, mapProblem, mapSource, type Seek, type Span } from "../../../../core/copy/sparse.ts";
import { decodeIdentity, type NamespaceIdentity } from "../../../../core/nvme/identify.ts";
import { SystemFiles } from "../../../../core/sysfs.ts";
import { native } from "../../../../ffi/index.ts";
import { tempFolder } from "../../temp.ts";
import { fakeFile } from "./fakes.ts";

const folder = tempFolder("sparse");
const span = (start: number, end: number): Span => ({ start: BigInt(start), end: BigInt(end) });

/** A source with data in these spans, counting how often it is asked. */
function source(data: readonly Span[], sizeBytes: number) {
  const counter = { calls: 0 };
  const seek: Seek = (kind, from) => {
    counter.calls++;
    const next = data.find(({ end }) => end > from);
    if (kind === "data") return next && (next.start > from ? next.start : from);
    if (from >= BigInt(sizeBytes)) return undefined;
    if (!next || next.start > from) return from;
    const after = data.indexOf(next);
    let end = next.end;
    for (const run of data.slice(after + 1)) {
      if (run.start > end) break;
      end = run.end;
    }
    return end;
  };
  return { seek, counter };
}

const holesOf = (data: readonly Span[], sizeBytes: number, least: number, most?: number) =>
  findHoles(source(data, sizeBytes).seek, span(0, sizeBytes), 512, least, most);

test("no data is one hole, all data is none", async () => {
  assert.equal(await holesOf([], 8192, 512), [span(0, 8192)]);
  assert.equal(await holesOf([span(0, 8192)], 8192, 512), []);
});

test("a hole's ends move inwards to blocks", async () => {
  assert.equal(await holesOf([span(0, 100), span(3000, 4096)], 4096, 512), [span(512, 2560)]);
});

test("short holes are data, and do not hide the long one behind them", async () => {
  const data = [span(0, 1024), span(1536, 2048), span(2560, 3072), span(16384, 32768)];
  assert.equal(await holesOf(data, 32768, 4096), [span(1024 + 4096, 16384)]);
});

test("the body's bounds hold where the source goes on", async () => {
  const { seek } = source([span(0, 512), span(65536, 66048)], 1 << 20);
  assert.equal(await findHoles(seek, span(4096, 8192), 512, 512), [span(4096, 8192)]);
});

test("too many holes: the shortest become data", async () => {
  // Holes of 1, 2, 4 and 8 KiB in turn, a block of data between them.
  const data: Span[] = [];
  let at = 0;
  for (let index = 0; index < 64; index++) {
    data.push(span(at, at + 512));
    at += 512 + (1024 << (index % 4));
  }
  const all = await holesOf(data, at, 512);
  assert.is(all.length, 64);
  const some = await holesOf(data, at, 512, 20);
  assert.ok(some.length <= 20 && some.length >= 8, `${some.length} holes`);
  assert.ok(some.every(({ start, end }) => end - start >= 4096n));
});

test("a comb of short holes is not asked about tooth by tooth", async () => {
  const data = Array.from({ length: 10_000 }, (_, index) => span(index * 1024, index * 1024 + 512));
  const { seek, counter } = source(data, 10_000 * 1024);
  assert.equal(await findHoles(seek, span(0, 10_000 * 1024), 512, 65_536), []);
  assert.ok(counter.calls <= 2 * Math.ceil((10_000 * 1024) / 65_536) + 2, `${counter.calls} calls`);
});

test("random sources: data and holes tile the body, and every data byte is in data", async () => {
  for (let seed = 1; seed <= 200; seed++) {
    let state = seed;
    const below = (limit: number) => {
      state = (state * 48_271) % 2_147_483_647;
      return state % limit;
    };
    const data: Span[] = [];
    let at = below(3) * 700;
    while (at < 100_000) {
      const end = at + 1 + below(9000);
      data.push(span(at, end));
      at = end + 1 + below(9000);
    }
    const least = 512 << below(4);
    const holes = await holesOf(data, 102_400, least);
    let last = 0n;
    for (const { start, end } of holes) {
      assert.ok(start >= last && end - start >= BigInt(least) && start % 512n === 0n && end % 512n === 0n);
      assert.not.ok(
        data.some((run) => run.start < end && run.end > start),
        `seed ${seed}`,
      );
      last = end;
    }
    const long = data
      .slice(1)
      .filter((run, index) => run.start - (data[index]?.end ?? 0n) > BigInt(2 * least + 1024));
    assert.ok(holes.length >= long.length, `seed ${seed}: ${holes.length} of ${long.length} long holes`);
  }
});

test("a real file: data and holes are the body, shifted to the destination", async () => {
  const path = join(folder, "file");
  const fd = openSync(path, "w");
  ftruncateSync(fd, 1 << 20);
  writeSync(fd, Buffer.alloc(4096, 1), 0, 4096, 1 << 19);
  closeSync(fd);
  const endpoint = fakeFile(path, 1n << 20n);
  const range = resolveRange(endpoint, fakeFile("/x", 0n), { seek: 8192n });
  const file = native.open(path, constants.O_RDONLY);
  const map = await mapSource(native, new SystemFiles(), file, endpoint, range, 65_536);
  native.close(file);
  assert.is(map.method, "SEEK_DATA");
  assert.equal(map.data, [{ srcOffset: 1n << 19n, dstOffset: (1n << 19n) + 8192n, lengthBytes: 4096n }]);
  assert.is(map.holeBytes, (1n << 20n) - 4096n);
  assert.is(
    map.holes.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0n),
    map.holeBytes,
  );
});

test("a drive's deallocated LBAs are holes only where it says so, and that they read as zeroes", () => {
  const drive = (oacs: number, dlfeat: number): NamespaceIdentity => {
    const [controller, namespace] = [Buffer.alloc(4096), Buffer.alloc(4096)];
    controller.writeUInt16LE(oacs, 256);
    namespace.writeUInt8(dlfeat, 33);
    return { charDevice: undefined, nsid: 1, ...decodeIdentity(controller, namespace, 4096) };
  };
  assert.is(mapProblem("d", drive(0x200, 1)), undefined);
  assert.match(mapProblem("d", drive(0, 1)) ?? "", /no Get LBA Status/);
  assert.match(mapProblem("d", drive(0x200, 0)) ?? "", /does not promise/);
  assert.match(mapProblem("d", drive(0x200, 2)) ?? "", /does not promise/);
});

test.run();
