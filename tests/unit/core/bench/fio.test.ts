// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { likeIt } from "../../../../cli/bench-words.ts";
import { parseFio } from "../../../../core/bench/fio.ts";
import { P2pdmaError } from "../../../../core/errors.ts";

const side = (over: object = {}) => ({
  ...{ total_ios: 800, bw_bytes: 8_000_000, iops: 61.5, lat_ns: { mean: 16_000_000 } },
  clat_ns: { percentile: { "50.000000": 15_900_000, "99.900000": 17_000_000 } },
  ...over,
});
const idle = { total_ios: 0 };

function output(options: object, job: object = {}): string {
  const one = {
    jobname: "a",
    read: side(),
    write: idle,
    usr_cpu: 1.5,
    sys_cpu: 2.5,
    "job options": options,
    ...job,
  };
  return `fio: a note about the kernel\n${JSON.stringify({ "global options": { bs: "64k", iodepth: "4" }, jobs: [one] })}`;
}

const ALLOCATE = "mmapshared:/sys/bus/pci/devices/0000:03:00.0/p2pmem/allocate";

test("parseFio(): a job in our units, with what the global section says", () => {
  assert.equal(parseFio(output({ rw: "read", bs: "128k", mem: ALLOCATE }), "x"), [
    {
      ...{ job: "a", direction: "read", pattern: "sequential", chunkBytes: 131072, depth: 4, via: "p2p" },
      ...{ provider: "0000:03:00.0", bytesPerSecond: 8_000_000, requestsPerSecond: 61.5, meanNs: 16_000_000 },
      ...{ percentilesNs: { p50: 15_900_000, "p99.9": 17_000_000 }, cpuShare: 0.04 },
    },
  ]);
});

test("parseFio(): both directions of a mixed job, RAM, random offsets", () => {
  const found = parseFio(output({ rw: "randrw" }, { write: side() }), "x");
  assert.equal(
    found.map(({ direction, pattern, via, provider, chunkBytes }) => [
      direction,
      pattern,
      via,
      provider,
      chunkBytes,
    ]),
    [
      ["read", "random", "ram", null, 65536],
      ["write", "random", "ram", null, 65536],
    ],
  );
});

for (const [what, text] of [
  ["no JSON", "fio-3.33\nStarting"],
  ["JSON of something else", '{"a": 1}'],
  ["a list", "[1]"],
  ["jobs that did nothing", output({}, { read: idle })],
  ["jobs that are none", '{"jobs": [1, null]}'],
] as const) {
  test(`parseFio(): ${what} is refused by name`, () => {
    const isUsage = (error: unknown) =>
      error instanceof P2pdmaError && error.code === "USAGE" && error.message.includes('"odd.json"');
    assert.throws(() => parseFio(text, "odd.json"), isUsage);
  });
}

test("likeIt(): only the same direction, pattern, size, depth and memory", () => {
  const fio = parseFio(output({ rw: "read", mem: ALLOCATE }), "x");
  const ways = [
    { id: "nvme0", via: "p2p", provider: "0000:03:00.0" },
    { id: "ram", via: "ram", provider: null },
  ];
  const run = { kind: "read", pattern: "sequential", ways };
  const point = { way: "nvme0", chunkBytes: 65536, depth: 4 };
  assert.is(likeIt(fio, run, point), fio[0]);
  for (const other of [{ way: "ram" }, { chunkBytes: 4096 }, { depth: 8 }]) {
    assert.is(likeIt(fio, run, { ...point, ...other }), undefined);
  }
  assert.is(likeIt(fio, { ...run, pattern: "random" }, point), undefined);
  assert.is(likeIt(fio, { ...run, kind: "copy" }, point), undefined);
});

test.run();
