// SPDX-License-Identifier: MIT
// Media that fail: skipped down to one LBA with an exact map, or stopped at and resumed; and errors that only a
// system call can bring. GNU ddrescuelog reads the maps, too.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { captureIn, startLab } from "../../lab/run.ts";
import { drive, pciSwitch, rootPort, topology } from "../../lab/topology.ts";
import { checkClaims } from "../torture/claims.ts";
import { contentOf } from "../torture/content.ts";
import { read } from "../torture/ends.ts";
import { mapFault } from "../torture/mapfile.ts";
import { tempFolder } from "../unit/temp.ts";
import { p2pdma } from "./boot.ts";

const MIB = 1 << 20;
const SECTOR = 512;
const DRIVE_MIB = 16;
/** A part of the source that is whole, and one with a sector that comes round. */
const [WHOLE, PASSING] = [8 * MIB, 10 * MIB];
const LENGTH = 2 * MIB;

/** Alone, side by side over the edge of a chunk, the first of the copy and the last. */
const BAD_READS = [0, 256 * 1024 - SECTOR, 256 * 1024, 777 * SECTOR, LENGTH - SECTOR];
const BAD_WRITES = [3 * SECTOR, 4 * SECTOR, 1000 * SECTOR];
/** The kernel's driver tries six times before it says so once. */
const ONE_ERROR = 6;

const folder = tempFolder("faults");
const shared = join(folder, "shared");
mkdirSync(shared);
const images = ["A", "B", "C", "D", "E"].map((letter) => join(folder, `${letter}.img`));
for (const [seed, image] of images.entries()) writeFileSync(image, contentOf(seed, DRIVE_MIB * MIB));
const imageOf = (letter: string) => images["ABCDE".indexOf(letter)] ?? "";
const sectorsOf = (offsets: readonly number[], base = 0) => offsets.map((at) => (base + at) / SECTOR);

const lab = await startLab({
  topology: topology({
    name: "faults",
    summary: "A can't read some sectors, C can't write some, D has blocks of 4096 bytes, E is for files",
    pci: [
      rootPort(
        pciSwitch(
          drive("A", {
            ...{ cmbMiB: 16, sizeMiB: DRIVE_MIB },
            mediumErrors: [
              ...sectorsOf(BAD_READS).map((sector) => ({ on: "read", sector }) as const),
              { on: "read", sector: (PASSING + 64 * 1024) / SECTOR, times: ONE_ERROR },
            ],
          }),
          drive("B", { sizeMiB: DRIVE_MIB }),
          drive("C", {
            sizeMiB: DRIVE_MIB,
            mediumErrors: sectorsOf(BAD_WRITES).map((sector) => ({ on: "write", sector }) as const),
          }),
          drive("D", { sizeMiB: DRIVE_MIB, lbaBytes: 4096, mediumErrors: [{ on: "read", sector: 17 }] }),
          drive("E", { sizeMiB: DRIVE_MIB }),
        ),
      ),
    ],
  }),
  disks: images,
  shares: [shared],
});
test.after(() => lab.close());

const inGuest = (script: string) =>
  captureIn(lab, { command: ["bash", "-c", script], timeoutMs: 300_000, env: { HOME: "/run/p2pdma" } });

const QUICK = ["--retry-delay", "10ms", "--retries", "1", "--checkpoint", "200ms"];

/** In the guest, through peer-to-peer memory; the journal is shared with the host. */
const guestRun = (verb: string, journal: string, ...args: string[]) =>
  inGuest(
    `${p2pdma.join(" ")} ${verb} --json --allow-write ${args.join(" ")} ${verb === "copy" ? `--journal=${shared}/${journal}` : `${shared}/${journal}`}`,
  );

const copyOf = (journal: string, from: string, to: string, offset: number, ...options: string[]) => {
  const range = ["--offset", offset, "--seek", 0, "--length", LENGTH].map(String);
  const ends = [`serial:P2PLAB-${from}`, `serial:P2PLAB-${to}`];
  return guestRun("copy", journal, "--via p2p", ...range, ...QUICK, ...options, ...ends);
};

const textOf = (name: string) => readFileSync(join(shared, name), "utf8");

/** Block numbers that GNU ddrescue itself takes for bad. */
function badByDdrescue(name: string, blockBytes = SECTOR): number[] {
  const map = join(shared, name);
  const list = ["--list-blocks=-", `--sector-size=${blockBytes}`, map];
  const { status, stdout, stderr } = spawnSync("ddrescuelog", list, { encoding: "utf8" });
  assert.is(status, 0, stderr);
  return stdout.split("\n").filter(Boolean).map(Number);
}

/** The destination holds everything but the bad sectors, which stayed as they were. */
function expectAllBut(letter: string, content: Buffer, bad: readonly number[], blockBytes = SECTOR): void {
  const before = contentOf("ABCDE".indexOf(letter), LENGTH);
  const expected = Buffer.from(content);
  for (const at of bad) before.copy(expected, at, at, at + blockBytes);
  assert.ok(read(imageOf(letter), 0, LENGTH).equals(expected), "the destination is not what it should be");
}

function restore(letter: string): Promise<unknown> {
  const before = join(shared, "before");
  writeFileSync(before, contentOf("ABCDE".indexOf(letter), LENGTH));
  return inGuest(`dd if=${before} of=/dev/lab/${letter} bs=1M oflag=direct conv=fsync status=none`);
}

const source = contentOf(0, DRIVE_MIB * MIB);

test("--on-error skip leaves out exactly the sectors that can't be read, and maps them", async () => {
  const { exitCode, stderr, stdout } = await copyOf("reads", "A", "B", 0, "--on-error skip");
  assert.is(exitCode, 5, stderr);
  assert.is(mapFault(textOf("reads.map"), { offset: 0, lengthBytes: LENGTH }, BAD_READS), undefined);
  assert.equal(badByDdrescue("reads.map"), sectorsOf(BAD_READS));
  expectAllBut("B", source.subarray(0, LENGTH), BAD_READS);
  assert.is(JSON.parse(stdout).badRanges.length, 4);
  assert.match(stderr, /reads\.map/);
});

test("--on-error stop ends with 6; a resume that may skip brings the rest", async () => {
  await restore("B");
  const stopped = await copyOf("stop", "A", "B", 0, "--rate 2M");
  assert.is(stopped.exitCode, 6, stopped.stderr);
  assert.match(stopped.stderr, /Cannot read ".*" at \d+ .*ENODATA[\s\S]*hint: p2pdma resume/);
  const ends = { source: source.subarray(0, LENGTH), destination: read(imageOf("B"), 0, LENGTH) };
  const claims = checkClaims(textOf("stop"), ends);
  assert.equal([claims.lies, claims.state], [[], "stopped"]);
  const resumed = await guestRun("resume", "stop", "--on-error skip");
  assert.is(resumed.exitCode, 5, resumed.stderr);
  assert.equal(badByDdrescue("stop.map"), sectorsOf(BAD_READS));
  expectAllBut("B", source.subarray(0, LENGTH), BAD_READS);
});

test("a resume of a copy with bad ranges tries them again, and says the same", async () => {
  const again = await guestRun("resume", "reads");
  assert.is(again.exitCode, 5, again.stderr);
  assert.equal(badByDdrescue("reads.map"), sectorsOf(BAD_READS));
});

test("an error that passes is retried, and the copy succeeds", async () => {
  const { exitCode, stderr, stdout } = await copyOf("passing", "A", "B", PASSING);
  assert.is(exitCode, 0, stderr);
  assert.ok(Number(JSON.parse(stdout).counters.retries) >= 1, stdout);
  expectAllBut("B", source.subarray(PASSING, PASSING + LENGTH), []);
});

test("sectors that can't be written are mapped by their place on the source", async () => {
  const { exitCode, stderr } = await copyOf("writes", "A", "C", WHOLE, "--on-error skip");
  assert.is(exitCode, 5, stderr);
  assert.equal(badByDdrescue("writes.map"), sectorsOf(BAD_WRITES, WHOLE));
  expectAllBut("C", source.subarray(WHOLE, WHOLE + LENGTH), BAD_WRITES);
});

test("blocks of 4096 bytes are left out whole", async () => {
  await restore("B");
  const { exitCode, stderr } = await copyOf("large", "D", "B", 0, "--on-error skip");
  assert.is(exitCode, 5, stderr);
  assert.equal(badByDdrescue("large.map", 4096), [2]);
  expectAllBut("B", contentOf(3, LENGTH), [8192], 4096);
});

test("a file system that fills up stops the copy; with more room a resume ends it", async () => {
  // Without extents ext4 can't set space aside, so that it runs out in the middle.
  const made = await inGuest(`
    mkfs.ext4 -q -F -b 4096 -O ^extent,^has_journal,^64bit,^metadata_csum /dev/lab/E && mkdir -p /run/p2pdma/e &&
    mount -t ext4 /dev/lab/E /run/p2pdma/e && dd if=/dev/zero of=/run/p2pdma/e/filler bs=1M count=13 status=none && sync`);
  assert.is(made.exitCode, 0, made.stderr);
  const args = ["--via p2p", "--offset", String(WHOLE), "--length 4M", "--checkpoint 200ms"];
  const full = await guestRun("copy", "full", ...args, "/dev/lab/A", "/run/p2pdma/e/copy");
  assert.is(full.exitCode, 6, full.stderr);
  assert.match(full.stderr, /ENOSPC/);
  const claimed = checkClaims(textOf("full"), {
    ...{ source: source.subarray(WHOLE, WHOLE + 4 * MIB), srcBase: WHOLE },
    destination: (await inGuest("cat /run/p2pdma/e/copy")).stdoutBytes,
  });
  assert.equal(claimed.lies, []);
  await inGuest("rm /run/p2pdma/e/filler && sync");
  const resumed = await guestRun("resume", "full");
  assert.is(resumed.exitCode, 0, resumed.stderr);
  const { stdoutBytes } = await inGuest("cat /run/p2pdma/e/copy");
  assert.ok(stdoutBytes.equals(source.subarray(WHOLE, WHOLE + 4 * MIB)), "the file differs");
});

// ---- errors that no medium of the lab gives, put in by strace; on files of the host ----

const content = contentOf(7, LENGTH);
writeFileSync(join(folder, "source"), content);

function straced(name: string, injection: string, ...options: string[]) {
  const [journal, destination] = [join(folder, `${name}.journal`), join(folder, name)];
  const call = injection.split(":")[0];
  const trace = [
    "strace",
    "-f",
    "-qq",
    "-o",
    "/dev/null",
    "-e",
    `trace=${call}`,
    "-e",
    `inject=${injection}`,
  ];
  const copy = [
    "copy",
    "-q",
    "--via",
    "ram",
    "--chunk",
    "32K",
    "--rate",
    "2M",
    `--journal=${journal}`,
    ...options,
  ];
  const [file = "", ...args] = [...trace, ...p2pdma, ...copy, join(folder, "source"), destination];
  const { status, stderr } = spawnSync(file, args, { encoding: "utf8", timeout: 300_000 });
  const text = existsSync(journal) ? readFileSync(journal, "utf8") : undefined;
  const claims = text && checkClaims(text, { source: content, destination: readFileSync(destination) });
  const resume = () => {
    execFileSync(p2pdma[0] ?? "", [...p2pdma.slice(1), "resume", "-q", journal], { stdio: "pipe" });
    return readFileSync(destination);
  };
  return { status, stderr, claims, resume };
}

test("EREMOTEIO that comes late stops the copy at once, resumable", () => {
  const late = "pwrite64:error=EREMOTEIO:when=20+";
  const { status, stderr, claims, resume } = straced("late", late, "--engine", "sync");
  assert.is(status, 6, stderr);
  assert.match(stderr, /EREMOTEIO/);
  assert.ok(claims && claims.lies.length === 0 && claims.claimed > 0, JSON.stringify(claims));
  assert.ok(resume().equals(content), "the destination differs");
});

test("after a flush that failed nothing more is claimed, whatever later flushes say", () => {
  const options = ["--checkpoint", "200ms", "--progress=json"];
  const { status, stderr, claims, resume } = straced("flush", "fdatasync:error=EIO:when=2", ...options);
  assert.is(status, 6, stderr);
  const [before = "", ...rest] = stderr.split(/.*"event":"warning".*fdatasync.*\n/);
  const after = rest.join("");
  assert.match(after, /"event":"end"/);
  const claimed = (text: string) =>
    [...text.matchAll(/"durableBytes":"(\d+)"/g)].map(([, bytes]) => Number(bytes));
  const last = claimed(before).at(-1) ?? 0;
  assert.equal([...new Set(claimed(after))], claimed(after).length > 0 ? [last] : []);
  assert.ok(claims && claims.state === "stopped" && claims.lies.length === 0);
  assert.is(claims.claimed * 32 * 1024, last);
  assert.ok(resume().equals(content), "the destination differs");
});

test.run();
