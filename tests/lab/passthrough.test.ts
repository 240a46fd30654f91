// SPDX-License-Identifier: MIT
// --engine passthrough: NVMe commands of our own must bring the same bytes as the block layer, to the same places, with
// the same answers to errors, and leave nothing stale in the page cache.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { captureIn, startLab } from "../../lab/run.ts";
import { drive, pciSwitch, rootPort, topology } from "../../lab/topology.ts";
import { contentOf } from "../torture/content.ts";
import { read } from "../torture/ends.ts";
import { mapFault } from "../torture/mapfile.ts";
import { tempFolder } from "../unit/temp.ts";
import { p2pdma } from "./boot.ts";
import { countPayload, PAYLOAD_EVENTS, parseTrace } from "./trace.ts";

const MIB = 1 << 20;
const SECTOR = 512;
const DRIVE_MIB = 32;
/** Parts of the source: whole, with bad sectors, with one that comes round, and for the page cache. */
const [WHOLE, BAD, PASSING, CACHED] = [20 * MIB, 8 * MIB, 16 * MIB, 24 * MIB];
const LENGTH = 2 * MIB;
const BAD_SECTORS = [0, 256 * 1024 - SECTOR, 256 * 1024, 777 * SECTOR];
const PARTITION_START = 1 * MIB;

const folder = tempFolder("passthrough");
const shared = join(folder, "shared");
const trace = join(folder, "trace");
mkdirSync(shared);
const images = ["A", "B", "C"].map((letter) => join(folder, `${letter}.img`));
const [, imageB = "", imageC = ""] = images;
for (const [seed, image] of images.entries()) writeFileSync(image, contentOfDrive(seed));
const source = contentOf(0, DRIVE_MIB * MIB);

const lab = await startLab({
  topology: topology({
    name: "passthrough",
    summary: "A has memory, and sectors that can't be read; C has a partition",
    pci: [
      rootPort(
        pciSwitch(
          drive("A", {
            ...{ cmbMiB: 16, sizeMiB: DRIVE_MIB },
            mediumErrors: [
              ...BAD_SECTORS.map((at) => ({ on: "read", sector: (BAD + at) / SECTOR }) as const),
              { on: "read", sector: (PASSING + 64 * 1024) / SECTOR, times: 1 },
            ],
          }),
          drive("B", { sizeMiB: DRIVE_MIB }),
          drive("C", { sizeMiB: DRIVE_MIB, lbaBytes: 512 }),
        ),
      ),
    ],
  }),
  disks: images,
  shares: [shared],
  trace: { file: trace, events: PAYLOAD_EVENTS },
});
test.after(() => lab.close());

const inGuest = (script: string) =>
  captureIn(lab, { command: ["bash", "-c", script], timeoutMs: 300_000, env: { HOME: "/run/p2pdma" } });

const command = (from: number, to: string, ...options: string[]) =>
  [
    ...[
      ...p2pdma,
      "copy --json --via p2p --engine passthrough --no-journal --retry-delay 10ms --allow-write",
    ],
    ...["--offset", from, "--length", LENGTH, ...options, "/dev/lab/A", to],
  ].join(" ");

const bar = await inGuest("cut -d' ' -f1,2 /sys/bus/pci/devices/0000:03:00.0/resource | sed -n 3p");
const [start = 0, last = 0] = bar.stdout.trim().split(" ").map(Number);

test("the bytes arrive, the drive compares them, and all payload is in the provider's BAR, none in RAM", async () => {
  const { exitCode, stdout, stderr } = await inGuest(command(WHOLE, "/dev/lab/B", "--verify"));
  assert.is(exitCode, 0, stderr);
  const receipt = JSON.parse(stdout);
  assert.is(receipt.engine, "passthrough");
  assert.is(receipt.bytes.peerToPeer, String(LENGTH));
  assert.equal([receipt.verification.equal, receipt.verification.method], [true, "NVMe Compare"]);
  assert.ok(
    read(imageB, 0, LENGTH).equals(source.subarray(WHOLE, WHOLE + LENGTH)),
    "the destination differs",
  );
  assert.ok(
    read(imageB, LENGTH, MIB).equals(contentOfDrive(1).subarray(LENGTH, LENGTH + MIB)),
    "too much was written",
  );
  const commands = parseTrace(readFileSync(trace, "utf8"));
  const window = { start, end: last + 1 };
  const reads = countPayload(commands, "read", WHOLE, LENGTH, window);
  // Once to copy, once to compare.
  assert.equal(reads, { inBar: 2 * LENGTH, elsewhere: 0 });
  assert.equal(countPayload(commands, "write", 0, LENGTH, window), { inBar: LENGTH, elsewhere: 0 });
});

test("a partition is written at its place on the namespace, and nothing around it", async () => {
  const before = contentOfDrive(2);
  const { exitCode, stderr } = await inGuest(command(WHOLE, "$(readlink -f /dev/lab/C)p1"));
  assert.is(exitCode, 0, stderr);
  const after = read(imageC, 0, 4 * MIB);
  source.copy(before, PARTITION_START, WHOLE, WHOLE + LENGTH);
  assert.ok(after.equals(before.subarray(0, 4 * MIB)), "drive C is not what it should be");
});

test("what the page cache holds of the source is copied, and what it held of the destination is forgotten", async () => {
  const script = `
    exec 3<>/dev/lab/A 4</dev/lab/B
    sum() { dd if=/dev/lab/$1 bs=1M skip=$2 count=2 status=none | sha256sum; }
    sum B 0 >/dev/null
    printf 'only in the page cache' | dd of=/dev/lab/A bs=1 seek=${CACHED} conv=notrunc status=none
    ${command(CACHED, "/dev/lab/B")} > /dev/null
    sum A ${CACHED / MIB}; sum B 0; dd if=/dev/lab/B bs=22 count=1 status=none`;
  const { exitCode, stdout, stderr } = await inGuest(script);
  assert.is(exitCode, 0, stderr);
  const [ofSource, ofDestination, text] = stdout.split("\n");
  assert.is(ofSource, ofDestination);
  assert.is(text, "only in the page cache");
});

test("sectors that can't be read are left out exactly", async () => {
  const map = join(shared, "bad.map");
  const { exitCode, stderr } = await inGuest(
    command(BAD, "/dev/lab/B", "--on-error skip --retries 0 --mapfile", map),
  );
  assert.is(exitCode, 5, stderr);
  const range = { offset: BAD, lengthBytes: LENGTH };
  assert.is(
    mapFault(
      readFileSync(map, "utf8"),
      range,
      BAD_SECTORS.map((at) => BAD + at),
    ),
    undefined,
  );
});

test("an error that passes is retried", async () => {
  const { exitCode, stdout, stderr } = await inGuest(command(PASSING, "/dev/lab/B"));
  assert.is(exitCode, 0, stderr);
  assert.ok(Number(JSON.parse(stdout).counters.retries) >= 1, stdout);
  assert.ok(
    read(imageB, 0, LENGTH).equals(source.subarray(PASSING, PASSING + LENGTH)),
    "the destination differs",
  );
});

test("what it can't do is refused before anything is written", async () => {
  const refused = [
    [command(WHOLE, "/run/file"), 1, /is a file: NVMe commands name LBAs/],
    [command(WHOLE, "/dev/lab/B", "--chunk 1M"), 1, /carries 524288 bytes at most, --chunk is 1048576/],
    [command(WHOLE, "/dev/lab/B", "--nice idle"), 2, /can't go with --engine passthrough/],
  ] as const;
  const before = read(imageB, 0, LENGTH);
  for (const [line, code, why] of refused) {
    const { exitCode, stderr } = await inGuest(line);
    assert.is(exitCode, code, stderr);
    assert.match(stderr, why);
  }
  assert.ok(read(imageB, 0, LENGTH).equals(before));
});

test.run();

/** Contents of a drive; that of C has one partition, in an MBR. */
function contentOfDrive(seed: number): Buffer {
  const content = contentOf(seed, DRIVE_MIB * MIB);
  content.fill(0, 0, seed === 0 ? 0 : SECTOR);
  if (seed !== 2) return content;
  content[446 + 4] = 0x83;
  content.writeUInt32LE(PARTITION_START / SECTOR, 446 + 8);
  content.writeUInt32LE((16 * MIB) / SECTOR, 446 + 12);
  content.writeUInt16LE(0xaa55, 510);
  return content;
}
