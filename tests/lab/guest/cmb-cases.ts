// SPDX-License-Identifier: MIT
// cmb on real p2pmem: registers, memory held, filled, dumped and tested, and memory that goes bad. Runs inside the
// `switch` lab with one more drive on the root bus, whose CMB is of the time before NVMe 1.4.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { constants, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readCmbRegisters } from "../../../core/nvme/cmb-registers.ts";
import { listControllers } from "../../../core/nvme/controllers.ts";
import { readAvailable } from "../../../core/p2pmem/providers.ts";
import type { Bdf } from "../../../core/pci/bdf.ts";
import { readResources } from "../../../core/pci/device.ts";
import { native } from "../../../ffi/index.ts";
import { drive, randomContent, readMedium, sha256, sys, writeMedium } from "./media.ts";
import { check, expect } from "./report.ts";

const MIB = 1 << 20;
const cli = join(dirname(fileURLToPath(import.meta.url)), "p2pdma.js");
const [a, b, c] = [drive("A"), drive("B"), drive("C")];
const legacy = listControllers(sys).find(({ serial }) => serial === "LEGACY");
if (!legacy) throw new Error("the lab has no legacy drive");
const scratch = process.env.P2PDMA_SCRATCH ?? "/run/p2pdma";

function cmb(...args: string[]) {
  return spawnSync(process.execPath, [cli, "cmb", ...args], { encoding: "utf8", maxBuffer: 64 * MIB });
}

function json(...args: string[]) {
  const { status, stdout, stderr } = cmb(...args, "--json");
  expect(status === 0, `exit ${status}: ${stderr}`);
  return JSON.parse(stdout);
}

function available(bdf: string): number {
  return Number(readAvailable(sys, bdf as Bdf));
}

/** What is a result must be on stdout, an error with this code and these words on stderr. */
function failsWith(code: number, message: RegExp, ...args: string[]): void {
  const { status, stderr } = cmb(...args);
  expect(status === code, `exit ${status}: ${stderr}`);
  expect(message.test(stderr), `stderr: ${stderr}`);
  expect(!/\n {4}at /.test(stderr), `a stack trace: ${stderr}`);
}

interface Running {
  readonly process: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

function start(...args: string[]): Running {
  const child = spawn(process.execPath, [cli, "cmb", ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout?.on("data", (data) => {
    text += data;
  });
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal }));
  });
  return { process: child, output: () => text, ended };
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries === 200) throw new Error(`in vain waited for ${what}`);
    await delay(50);
  }
}

async function showCases(): Promise<void> {
  const { schema, controllers } = json("show");
  const of = (serial: string) => controllers.find((known: { serial: string }) => known.serial === serial);

  await check("cmb show --json: all drives, and what they have", () => {
    expect(schema === "p2pdma.cmb/1" && controllers.length === 4, JSON.stringify(controllers));
    const states = ["P2PLAB-A", "P2PLAB-B", "P2PLAB-C", "LEGACY"].map((serial) => of(serial).state);
    expect(String(states) === "present,present,none,present", String(states));
    const sizes = ["P2PLAB-A", "P2PLAB-B", "LEGACY"].map((serial) => of(serial).location.sizeBytes);
    expect(String(sizes) === `${64 * MIB},${32 * MIB},${16 * MIB}`, String(sizes));
  });

  await check("cmb show: place and address are those of the BAR, and of the host's enabling", () => {
    const { location, window, control, baseAddressInvalid } = of("P2PLAB-A");
    const bar = readResources(sys, a.bdf as Bdf).find(({ index }) => index === location.bar);
    expect(`0x${bar?.start.toString(16)}` === window.start, JSON.stringify(window));
    expect(control.registersEnabled && control.memorySpaceEnabled, JSON.stringify(control));
    expect(control.baseAddress === window.start && baseAddressInvalid === false, JSON.stringify(control));
  });

  await check("cmb show: the BAR's registers are those of sysfs", () => {
    for (const { bdf, name } of [a.controller, legacy as typeof a.controller]) {
      const shown = readCmbRegisters(sys, bdf as Bdf, name, undefined).registers;
      const read = readCmbRegisters(sys, bdf as Bdf, undefined, native).registers;
      expect(read.cmbloc === shown.cmbloc && read.cmbsz === shown.cmbsz, `${read.cmbloc} ${read.cmbsz}`);
      expect(shown.cmbsz !== undefined && shown.cmbsz > 0, "no CMBSZ in sysfs");
    }
  });

  await check("cmb show: a CMB of before NVMe 1.4 is always enabled", () => {
    const { hostEnabled, control, p2pmem } = of("LEGACY");
    expect(hostEnabled === false && control === null && p2pmem !== null, JSON.stringify(of("LEGACY")));
  });

  await check("cmb show: who has taken of it", () => {
    const { p2pmem } = of("P2PLAB-A");
    expect(p2pmem.usedBytes === "131072" && p2pmem.submissionQueuesInside, JSON.stringify(p2pmem));
    expect(p2pmem.holders.length === 0 && p2pmem.isPublished, JSON.stringify(p2pmem));
  });

  await check("cmb show NAME in words", () => {
    const { stdout, status } = cmb("show", b.controller.name);
    expect(status === 0 && !stdout.includes("P2PLAB-A"), stdout);
    expect(/CMB +32 MiB \(33554432 bytes\) in BAR 2, from byte 0 on/.test(stdout), stdout);
    expect(/CDMMMS +enforced +data and metadata/.test(stdout), stdout);
  });

  await check("cmb show without root shows what sysfs shows, and says why not more", () => {
    const nobody = { encoding: "utf8", uid: 65534, gid: 65534, cwd: "/" } as const;
    const { stdout, stderr, status } = spawnSync(process.execPath, [cli, "cmb", "show", a.bdf], nobody);
    expect(status === 0, `exit ${status}: ${stderr}`);
    expect(/CMB +64 MiB/.test(stdout) && /not read .*only root may map a BAR/.test(stdout), stdout);
  });
}

async function allocCases(): Promise<void> {
  const before = available(a.bdf);

  for (const [allocator, signal] of [
    ["sysfs", "SIGTERM"],
    ["chardev", "SIGINT"],
    ["sysfs", "SIGHUP"],
  ] as const) {
    await check(`cmb alloc --allocator ${allocator} holds until ${signal}, which is success`, async () => {
      const held = start("alloc", a.controller.name, "8MiB", "--allocator", allocator, "--json");
      await until(() => held.output().trimEnd().endsWith("}"), "the JSON");
      const { ranges, isProvenInBar, pid, schema } = JSON.parse(held.output());
      expect(schema === "p2pdma.cmb-alloc/1" && isProvenInBar && ranges.length === 1, held.output());
      expect(BigInt(ranges[0].end) - BigInt(ranges[0].start) === BigInt(8 * MIB), held.output());
      expect(available(a.bdf) === before - 8 * MIB, `available ${available(a.bdf)}`);
      const [{ p2pmem }] = json("show", a.bdf).controllers;
      const [holder] = p2pmem.holders;
      expect(holder?.pid === pid && holder.sizeBytes === String(8 * MIB), JSON.stringify(p2pmem));
      held.process.kill(signal);
      const { code } = await held.ended;
      expect(code === 0, `exit ${code}`);
      expect(available(a.bdf) === before, `available ${available(a.bdf)}`);
    });
  }

  await check("cmb alloc gives back what it holds when it is killed", async () => {
    const held = start("alloc", a.controller.name, "5000");
    await until(() => held.output().includes("\n"), "a line");
    expect(/^8 KiB of .*: 0xf4/.test(held.output()), held.output());
    expect(available(a.bdf) === before - 8192, `available ${available(a.bdf)}`);
    held.process.kill("SIGKILL");
    await held.ended;
    await until(() => available(a.bdf) === before, "the memory");
  });

  await check("cmb alloc of more than is free ends with 3 and a hint", () =>
    failsWith(3, /asked 64 MiB, available 63\.9 MiB\nhint: .*cmb show/, "alloc", a.bdf, "64MiB"),
  );
  await check("cmb alloc of more than there is ends with 3", () =>
    failsWith(3, /it has 67108864/, "alloc", a.bdf, "1T"),
  );
  await check("cmb alloc of a drive without CMB ends with 3", () =>
    failsWith(3, /offers no p2pmem/, "alloc", c.bdf, "4k"),
  );
}

async function fillCases(): Promise<void> {
  const file = join(scratch, "dump");
  const dumped = (size: string, ...args: string[]) => {
    const { status, stderr } = cmb("dump", a.bdf, size, "-o", file, ...args);
    expect(status === 0, `exit ${status}: ${stderr}`);
    return readFileSync(file);
  };

  await check("cmb fill: what is freed keeps what was in it, and cmb dump shows it", () => {
    const { status, stdout, stderr } = cmb("fill", a.bdf, "64k", "--pattern", "deadbeef");
    expect(status === 0 && /^64 KiB of .*filled with deadbeef\n$/.test(stdout), stdout + stderr);
    const dump = cmb("dump", a.bdf, "40");
    expect(
      dump.stdout ===
        "00000000  de ad be ef de ad be ef  de ad be ef de ad be ef  |................|\n*\n" +
          "00000020  de ad be ef de ad be ef                           |........|\n00000028\n",
      dump.stdout,
    );
    expect(/BAR 2 from byte 131072 on/.test(dump.stderr), dump.stderr);
  });

  await check("cmb fill --pattern random:SEED is the same each time, and another with another seed", () => {
    const content = [7, 7, 8].map((seed) => {
      json("fill", a.bdf, "256k", "--pattern", `random:${seed}`);
      return sha256(dumped("256k"));
    });
    expect(content[0] === content[1] && content[0] !== content[2], String(content));
  });

  await check("cmb dump --offset begins and ends at any byte", () => {
    const whole = dumped("256k");
    const part = dumped("70001", "--offset", "12345");
    expect(part.equals(whole.subarray(12345, 12345 + 70001)), "the part differs");
    const { stdout } = spawnSync(process.execPath, [cli, "cmb", "dump", a.bdf, "1000", "-o", "-"]);
    expect(stdout.equals(whole.subarray(0, 1000)), "stdout differs");
  });

  await check("cmb fill wipes", () => {
    const { stdout } = cmb("fill", a.bdf, "256k");
    expect(/filled with zeros/.test(stdout), stdout);
    expect(
      dumped("256k").every((byte) => byte === 0),
      "not all zeros",
    );
  });

  await check("cmb fill --hold holds", async () => {
    const before = available(a.bdf);
    const held = start("fill", a.bdf, "1M", "--hold");
    await until(() => held.output().includes("\n"), "a line");
    expect(available(a.bdf) === before - MIB, `available ${available(a.bdf)}`);
    held.process.kill("SIGINT");
    expect((await held.ended).code === 0, "no success");
  });
}

async function testCases(): Promise<void> {
  const media = [a, b].map(({ path }) => {
    writeMedium(path, 0n, randomContent(4 * MIB));
    return sha256(readMedium(path, 0n, 4 * MIB));
  });

  await check("cmb test by CPU and by the drive's own DMA", () => {
    const { isGood, isComplete, steps, dma, testedBytes } = json("test", a.bdf, "1M");
    expect(isGood && isComplete && testedBytes === String(MIB), JSON.stringify(steps));
    const names = steps.map(({ test }: { test: string }) => test);
    expect(String(names) === "walking-ones,address,random,dma", String(names));
    expect(dma.path === a.path && dma.bytes === String(MIB) && !dma.mediumIsUniform, JSON.stringify(dma));
  });

  await check("cmb test --by dma --dma-from a peer, which the receipt of addresses proves", () => {
    const { isGood, steps, dma } = json("test", a.bdf, "1M", "--by", "dma", "--dma-from", b.controller.name);
    expect(isGood && steps.length === 1 && dma.pciAddress === b.bdf, JSON.stringify(dma));
  });

  await check("cmb test takes all that is free, in as many pieces as there are", async () => {
    const first = start("alloc", b.bdf, "15M");
    await until(() => first.output().includes("\n"), "the first");
    const gap = start("alloc", b.bdf, "512k");
    await until(() => gap.output().includes("\n"), "the gap");
    const last = start("alloc", b.bdf, "15M");
    await until(() => last.output().includes("\n"), "the last");
    gap.process.kill("SIGTERM");
    await gap.ended;
    const free = available(b.bdf);
    const { pieces, testedBytes, isGood } = json("test", b.bdf, "--by", "cpu", "--pattern", "address");
    for (const held of [first, last]) held.process.kill("SIGTERM");
    await Promise.all([first.ended, last.ended]);
    expect(isGood && testedBytes === String(free), `${testedBytes} of ${free}`);
    expect(pieces.length > 1, JSON.stringify(pieces));
  });

  await check("cmb test has written to no medium", () => {
    for (const [index, { path }] of [a, b].entries())
      expect(sha256(readMedium(path, 0n, 4 * MIB)) === media[index], `${path} has changed`);
  });

  await check("cmb test by a drive that the kernel refuses ends with 3 and the reason", () =>
    failsWith(
      3,
      /the kernel refuses DMA between .*\nhint: .*--by cpu/,
      ...["test", a.bdf, "1M", "--by", "dma", "--dma-from", legacy?.name ?? ""],
    ),
  );

  await check("cmb test finds memory that changes under it, names the place, and ends with 4", async () => {
    const bar = native.open(`/sys/bus/pci/devices/${a.bdf}/resource2`, constants.O_RDWR);
    const window = native.mapShared(bar.fd, MIB, bar.path);
    const running = start("test", a.bdf, "256k", "--by", "cpu", "--passes", "30", "--json");
    let isOver = false;
    const ended = running.ended.finally(() => {
      isOver = true;
    });
    const damage = Buffer.from("0badc0de0badc0de", "hex");
    while (!isOver) {
      await native.writeMemory({ mapping: window, offsetBytes: 131072 + 4096, lengthBytes: 8 }, damage);
      await delay(3);
    }
    window.close();
    native.close(bar);
    const { code } = await ended;
    const report = JSON.parse(running.output());
    expect(code === 4 && !report.isGood, `exit ${code}: ${running.output()}`);
    const [bad] = report.bad;
    expect(bad.got === "0xdec0ad0bdec0ad0b" && bad.badWords === "1", JSON.stringify(bad));
    expect(bad.barOffsetBytes === String(131072 + 4096) && bad.bar === 2, JSON.stringify(bad));
  });

  await check("cmb test ends with 130 at SIGINT, tells how far it was, and frees the memory", async () => {
    const before = available(a.bdf);
    const running = start("test", a.bdf, "4M", "--passes", "1000", "--json");
    await until(() => available(a.bdf) < before, "the memory to be taken");
    await delay(300);
    running.process.kill("SIGINT");
    const { code } = await running.ended;
    expect(code === 130, `exit ${code}`);
    const { isComplete, isGood } = JSON.parse(running.output());
    expect(isComplete === false && isGood === true, running.output());
    expect(available(a.bdf) === before, `available ${available(a.bdf)}`);
  });
}

await showCases();
await allocCases();
await fillCases();
await testCases();
