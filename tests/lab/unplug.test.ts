// SPDX-License-Identifier: MIT
// Devices that are taken away in the middle of a copy: it ends soon and clearly, and a resume brings the rest.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { captureIn, startLab } from "../../lab/run.ts";
import { drive, pciSwitch, rootPort, topology } from "../../lab/topology.ts";
import { checkClaims } from "../torture/claims.ts";
import { contentOf } from "../torture/content.ts";
import { read } from "../torture/ends.ts";
import { tempFolder } from "../unit/temp.ts";
import { p2pdma } from "./boot.ts";
import { type Aftermath, type Disturbance, disturb, plug, unplug } from "./disturbed-copy.ts";

const MIB = 1 << 20;
const LENGTH = 8 * MIB;
const SOON_MS = 10_000;

const folder = tempFolder("unplug");
const images = ["A", "B", "C"].map((letter) => join(folder, `${letter}.img`));
const journals = join(folder, "journals");
mkdirSync(journals);
for (const [index, image] of images.entries()) writeFileSync(image, contentOf(index, 16 * MIB));
const content = read(images[0] ?? "", 0, LENGTH);

/** A is copied to B; C lends its memory, unless one of the ends does. */
const machine = topology({
  name: "unplug",
  summary: "three drives with memory below one switch",
  pci: [
    rootPort(
      pciSwitch(
        drive("A", { cmbMiB: 16, sizeMiB: 16 }),
        drive("B", { cmbMiB: 16, sizeMiB: 16 }),
        drive("C", { cmbMiB: 16, sizeMiB: 16 }),
      ),
    ),
  ],
});
const BDF = { A: "0000:03:00.0", B: "0000:04:00.0", C: "0000:05:00.0" } as const;
type Letter = keyof typeof BDF;

const lab = await startLab({ topology: machine, disks: images, shares: [journals] });
test.after(() => lab.close());

const inGuest = (script: string) =>
  captureIn(lab, { command: ["bash", "-c", script], timeoutMs: 300_000, env: { HOME: "/run/p2pdma" } });

/** Waits for a drive and its memory to be there again. */
const ready = (letter: Letter) =>
  inGuest(`for n in $(seq 200); do
      [ -e /sys/bus/pci/devices/${BDF[letter]}/p2pmem/available ] &&
      ls /sys/bus/pci/devices/${BDF[letter]}/nvme/nvme*/nvme*n1 >/dev/null 2>&1 && exit 0; sleep 0.05; done; exit 1`);

let round = 0;

interface Case extends Omit<Disturbance, "copy"> {
  readonly provider: Letter;
  readonly options?: readonly string[];
}

async function copyDisturbed({ provider, options = [], ...rest }: Case) {
  round++;
  const before = contentOf(1000 + round, LENGTH);
  const journal = join(journals, `${round}.journal`);
  writeFileSync(join(journals, "before"), before);
  await inGuest(
    `dd if=${journals}/before of=$(ls -d /dev/disk/by-id/nvme-QEMU_NVMe_Ctrl_P2PLAB-B 2>/dev/null || echo /dev/lab/B) bs=1M oflag=direct status=none`,
  );
  const copy = [
    ...["copy", "--via", "p2p", "--provider", BDF[provider], "--length", String(LENGTH), "--rate", "512K"],
    ...["--checkpoint", "200ms", "--chunk", "32K", "--allow-write", `--journal=${journal}`, ...options],
    ...["serial:P2PLAB-A", "serial:P2PLAB-B"],
  ];
  const aftermath = await disturb(lab, { copy, ...rest });
  const text = (await inGuest(`cat ${journal}`)).stdout;
  const written = read(images[1] ?? "", 0, LENGTH);
  return { aftermath, journal, claims: checkClaims(text, { source: content, destination: written }) };
}

type Disturbed = Awaited<ReturnType<typeof copyDisturbed>>;

function expectEnd({ aftermath, claims }: Disturbed, exitCode = 6, state = "stopped"): void {
  assert.is(aftermath.exitCode, exitCode, aftermath.stderr);
  assert.ok(aftermath.endedAfterMs < SOON_MS, `it took ${aftermath.endedAfterMs} ms`);
  assert.is(aftermath.orphans, "");
  assert.equal(claims.lies, [], "the journal claims what is not there");
  assert.ok(claims.claimed > 0 && claims.claimed < claims.chunks, `${claims.claimed} of ${claims.chunks}`);
  assert.is(claims.state, state);
}

/** Memory of the providers that are still there. */
function expectMemoryBack({ aftermath: { freeBefore, freeAfter } }: Disturbed): void {
  assert.ok(freeAfter.size > 0);
  for (const [bdf, bytes] of freeAfter) assert.is(bytes, freeBefore.get(bdf), bdf);
}

async function expectResume({ journal, claims }: Disturbed, ...options: string[]): Promise<void> {
  const { exitCode, stderr, stdout } = await inGuest(
    `${p2pdma.join(" ")} resume --json --allow-write ${options.join(" ")} ${journal}`,
  );
  assert.is(exitCode, 0, stderr);
  const receipt = JSON.parse(stdout);
  assert.ok(read(images[1] ?? "", 0, LENGTH).equals(content), "the destination differs");
  assert.is(receipt.route.via, "p2p");
  assert.ok(claims.claimed > 0);
}

function saysOf({ stderr }: Aftermath): string {
  const lines = stderr.split("\n").filter((line) => line.includes('"event":"end"'));
  return String(JSON.parse(lines.at(-1) ?? "{}").message);
}

const named = { A: "source", B: "destination", C: "provider" } as const;
for (const letter of ["B", "A", "C"] as const) {
  test(`the ${named[letter]} is unplugged`, async () => {
    const disturbed = await copyDisturbed({ provider: "C", onHost: () => unplug(lab, `drive-${letter}`) });
    await plug(lab, machine, `drive-${letter}`);
    assert.is((await ready(letter)).exitCode, 0, "the drive did not come back");
    expectEnd(disturbed);
    expectMemoryBack(disturbed);
    assert.match(saysOf(disturbed.aftermath), /is gone|was taken away/);
    await expectResume(disturbed);
  });
}

test("the destination is unplugged, and its memory with it", async () => {
  const disturbed = await copyDisturbed({ provider: "B", onHost: () => unplug(lab, "drive-B") });
  await plug(lab, machine, "drive-B");
  assert.is((await ready("B")).exitCode, 0, "the drive did not come back");
  expectEnd(disturbed);
  await expectResume(disturbed);
});

test("the provider's driver is unbound", async () => {
  const unbind = `echo ${BDF.C} > /sys/bus/pci/drivers/nvme/unbind`;
  const disturbed = await copyDisturbed({ provider: "C", inGuest: unbind });
  expectEnd(disturbed);
  await expectResume(disturbed, "--provider", BDF.B);
  await inGuest(`echo ${BDF.C} > /sys/bus/pci/drivers/nvme/bind`);
  assert.is((await ready("C")).exitCode, 0, "the driver does not bind again");
  const free = (await inGuest(`cat /sys/bus/pci/devices/${BDF.C}/p2pmem/available`)).stdout.trim();
  assert.is(free, disturbed.aftermath.freeBefore.get(BDF.C));
});

test("the provider is removed in sysfs", async () => {
  const remove = `echo 1 > /sys/bus/pci/devices/${BDF.C}/remove`;
  const disturbed = await copyDisturbed({ provider: "C", inGuest: remove });
  expectEnd(disturbed);
  await inGuest("echo 1 > /sys/bus/pci/rescan");
  assert.is((await ready("C")).exitCode, 0, "the drive did not come back");
  await expectResume(disturbed);
});

for (const [signal, exitCode] of [
  ["INT", 130],
  ["TERM", 143],
] as const) {
  test(`SIG${signal} drains, keeps the journal, ends with ${exitCode}`, async () => {
    const disturbed = await copyDisturbed({ provider: "C", inGuest: `kill -${signal} $pid` });
    expectEnd(disturbed, exitCode);
    expectMemoryBack(disturbed);
    await expectResume(disturbed);
  });
}

test("a second signal aborts", async () => {
  const twice = "kill -TERM $pid; sleep 0.02; kill -TERM $pid";
  const disturbed = await copyDisturbed({ provider: "C", inGuest: twice });
  expectEnd(disturbed, 143);
  expectMemoryBack(disturbed);
  await expectResume(disturbed);
});

test("SIGKILL gives the memory back", async () => {
  const disturbed = await copyDisturbed({ provider: "C", inGuest: "kill -KILL $pid" });
  expectEnd(disturbed, 137, "running");
  expectMemoryBack(disturbed);
  await expectResume(disturbed);
});

test("the kernel found nothing wrong", async () => {
  const { stdout } = await inGuest("dmesg");
  assert.not.match(stdout, /BUG:|Oops|WARNING:|Call Trace|blocked for more/);
});

test.run();
