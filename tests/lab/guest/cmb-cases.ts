// SPDX-License-Identifier: MIT
// cmb on real p2pmem: registers, memory held, filled, dumped and tested, and memory that goes bad. Runs inside the
// `switch` lab with one more drive on the root bus. Starting Node is slow in the guest, so most cases run in here.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { constants, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readCmbRegisters } from "../../../core/nvme/cmb-registers.ts";
import { type CmbReport, reportCmbs } from "../../../core/nvme/cmb-report.ts";
import { CPU_PATTERNS, testMemory } from "../../../core/p2pmem/memtest.ts";
import { openClient } from "../../../core/p2pmem/memtest-client.ts";
import {
  placesOf,
  requireProvider,
  takeFreeMemory,
  takeMemory,
} from "../../../core/p2pmem/memtest-memory.ts";
import { parsePattern } from "../../../core/p2pmem/memtest-pattern.ts";
import { type AllocatorKind, readAvailable } from "../../../core/p2pmem/providers.ts";
import type { StagingBuffer } from "../../../core/p2pmem/staging.ts";
import type { Bdf } from "../../../core/pci/bdf.ts";
import { native } from "../../../ffi/index.ts";
import { drive, randomContent, readMedium, sha256, sys, writeMedium } from "./media.ts";
import { check, expect } from "./report.ts";

const MIB = 1 << 20;
const cli = join(dirname(fileURLToPath(import.meta.url)), "p2pdma.js");
const scratch = process.env.P2PDMA_SCRATCH ?? "/run/p2pdma";
const [a, b, c] = [drive("A"), drive("B"), drive("C")];
const providerA = () => requireProvider(sys, a.bdf);
const available = (bdf: string) => Number(readAvailable(sys, bdf as Bdf));
const text = (value: unknown) =>
  JSON.stringify(value, (_, one) => (typeof one === "bigint" ? String(one) : one));

function reportOf(serial: string): CmbReport {
  const found = reportCmbs(sys, native, []).find(({ controller }) => controller?.serial === serial);
  if (!found) throw new Error(`no report of ${serial}`);
  return found;
}

function cmb(...args: string[]) {
  return spawnSync(process.execPath, [cli, "cmb", ...args], { encoding: "utf8" });
}

function failsWith(code: number, message: RegExp, ...args: string[]): void {
  const { status, stdout, stderr } = cmb(...args);
  expect(status === code, `exit ${status}: ${stderr}`);
  expect(message.test(stderr), `stderr: ${stderr}`);
  expect(stdout === "" && !/\n {4}at /.test(stderr), `stdout: ${stdout}, stderr: ${stderr}`);
}

interface Running {
  readonly process: ChildProcess;
  readonly output: () => string;
  readonly exitCode: Promise<number | null>;
}

/** A command for as long as the action takes: one left behind would keep this program alive. */
async function running(args: string[], action: (command: Running) => Promise<void>): Promise<void> {
  const child = spawn(process.execPath, [cli, "cmb", ...args], { stdio: ["ignore", "pipe", "ignore"] });
  let output = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  const exitCode = new Promise<number | null>((resolve) => void child.on("close", resolve));
  try {
    await action({ process: child, output: () => output, exitCode });
  } finally {
    child.kill("SIGKILL");
    await exitCode;
  }
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries === 300) throw new Error(`in vain waited for ${what}`);
    await delay(50);
  }
}

async function showCases(): Promise<void> {
  await check("cmb show: all drives, and what they have", () => {
    const states = ["P2PLAB-A", "P2PLAB-B", "P2PLAB-C", "STRANGER"].map((serial) => reportOf(serial).cmb);
    const words = states.map(({ state, location }) => `${state} ${location?.sizeBytes ?? 0}`);
    expect(
      String(words) === `present ${64 * MIB},present ${32 * MIB},none 0,present ${16 * MIB}`,
      String(words),
    );
  });

  await check("cmb show: place and address are those of the BAR, and of the host's enabling", () => {
    const { window, cmb: found } = reportOf("P2PLAB-A");
    expect(window?.resource.index === found.location?.bar && !window?.isCut, text(window));
    expect(window?.end === (window?.start ?? 0n) + BigInt(64 * MIB), text(window));
    expect(found.control?.baseAddress === window?.start && found.isBaseInvalid === false, text(found));
  });

  await check("cmb show: the BAR's registers are those of sysfs", () => {
    for (const { bdf, name } of [a.controller, b.controller]) {
      const shown = readCmbRegisters(sys, bdf as Bdf, name, undefined).registers;
      const read = readCmbRegisters(sys, bdf as Bdf, undefined, native).registers;
      expect(read.cmbloc === shown.cmbloc && read.cmbsz === shown.cmbsz, text({ shown, read }));
      expect(shown.cmbsz !== undefined && shown.cmbsz > 0, "no CMBSZ in sysfs");
    }
  });

  await check("cmb show: the kernel's queues are named where nobody else has taken memory", () => {
    const { p2pmem } = reportOf("P2PLAB-A");
    expect(p2pmem?.usedBytes === 131072n && p2pmem.queuesInCmb === true, text(p2pmem));
    expect(p2pmem?.holders.length === 0 && p2pmem.provider.isPublished, text(p2pmem));
  });

  await check("cmb show NAME --json is one document about one drive", () => {
    const { stdout, stderr, status } = cmb("show", b.controller.name, "--json");
    expect(status === 0 && stderr === "", `exit ${status}: ${stderr}`);
    const { schema, controllers } = JSON.parse(stdout);
    expect(schema === "p2pdma.cmb/1" && controllers.length === 1, stdout);
    expect(controllers[0].serial === "P2PLAB-B" && controllers[0].nvmeVersion === "1.4.0", stdout);
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
  const cases = [
    ["sysfs", "SIGTERM"],
    ["chardev", "SIGINT"],
  ] as const;
  for (const [allocator, signal] of cases) {
    await check(`cmb alloc --allocator ${allocator} holds until ${signal}, which is success`, () =>
      running(["alloc", a.controller.name, "8MiB", "--allocator", allocator, "--json"], async (held) => {
        await until(() => held.output().endsWith("}\n"), "the JSON");
        const { ranges, isProvenInBar, pid, schema } = JSON.parse(held.output());
        expect(schema === "p2pdma.cmb-alloc/1" && isProvenInBar && ranges.length === 1, held.output());
        expect(BigInt(ranges[0].end) - BigInt(ranges[0].start) === BigInt(8 * MIB), held.output());
        expect(available(a.bdf) === before - 8 * MIB, `available ${available(a.bdf)}`);
        const holders = reportOf("P2PLAB-A").p2pmem?.holders ?? [];
        expect(holders.length === 1 && holders[0]?.pid === pid, text(holders));
        expect(holders[0]?.sizeBytes === BigInt(8 * MIB), text(holders));
        expect(reportOf("P2PLAB-B").p2pmem?.holders.length === 0, "another drive's memory is held, too");
        held.process.kill(signal);
        expect((await held.exitCode) === 0, `exit ${await held.exitCode}`);
        expect(available(a.bdf) === before, `available ${available(a.bdf)}`);
      }),
    );
  }

  await check("cmb fill --hold gives back what it holds when it is killed", () =>
    running(["fill", a.controller.name, "5000", "--hold"], async (held) => {
      await until(() => held.output().includes("\n"), "a line");
      expect(/^8 KiB of .*: 0xf4.*filled with zeros\n$/.test(held.output()), held.output());
      expect(available(a.bdf) === before - 8192, `available ${available(a.bdf)}`);
      held.process.kill("SIGKILL");
      await held.exitCode;
      await until(() => available(a.bdf) === before, "the memory");
    }),
  );

  await check("cmb alloc of more than is free ends with 3 and a hint", () =>
    failsWith(3, /asked 64 MiB, available 63\.9 MiB\nhint: .*cmb show/, "alloc", a.bdf, "64MiB"),
  );
  await check("cmb alloc of a drive without CMB ends with 3", () =>
    failsWith(3, /offers no p2pmem/, "alloc", c.bdf, "4k"),
  );
}

/** Fresh memory for a moment; the same place each time, as nobody else takes any. */
async function withMemory<T>(
  sizeBytes: number,
  kind: AllocatorKind,
  action: (held: StagingBuffer) => Promise<T>,
): Promise<T> {
  const held = takeMemory(native, providerA(), BigInt(sizeBytes), kind);
  try {
    return await action(held);
  } finally {
    held.close();
  }
}

function contentOf(sizeBytes: number, kind: AllocatorKind = "sysfs"): Promise<Buffer> {
  return withMemory(sizeBytes, kind, ({ mapping }) =>
    native.readMemory({ mapping, offsetBytes: 0, lengthBytes: sizeBytes }),
  );
}

async function fillCases(): Promise<void> {
  await check("cmb fill: what is freed keeps what was in it", async () => {
    const { status, stdout, stderr } = cmb("fill", a.bdf, "64k", "--pattern", "deadbeef");
    expect(status === 0 && /^64 KiB of .*filled with deadbeef\n$/.test(stdout), stdout + stderr);
    const left = await contentOf(65536, "chardev");
    expect(left.equals(Buffer.from("deadbeef".repeat(16384), "hex")), left.subarray(0, 32).toString("hex"));
  });

  await check("cmb dump shows that in hexadecimal", () => {
    const dump = cmb("dump", a.bdf, "40");
    expect(
      dump.stdout ===
        "00000000  de ad be ef de ad be ef  de ad be ef de ad be ef  |................|\n*\n" +
          "00000020  de ad be ef de ad be ef                           |........|\n00000028\n",
      dump.stdout,
    );
    expect(/BAR 2 from byte 131072 on/.test(dump.stderr), dump.stderr);
  });

  await check("fill with random:SEED is the same each time, and another with another seed", async () => {
    const digests: string[] = [];
    for (const seed of [7, 7, 8]) {
      await withMemory(262144, "sysfs", async ({ mapping }) => {
        const whole = { mapping, offsetBytes: 0, lengthBytes: mapping.lengthBytes };
        await native.startFill(whole, parsePattern(`random:${seed}`)).done;
      });
      digests.push(sha256(await contentOf(262144)));
    }
    expect(digests[0] === digests[1] && digests[0] !== digests[2], String(digests));
  });

  await check("cmb dump --offset -o FILE begins and ends at any byte", async () => {
    const whole = await contentOf(262144);
    const file = join(scratch, "dump");
    const { status, stderr } = cmb("dump", a.bdf, "170001", "--offset", "12345", "-o", file);
    expect(status === 0, `exit ${status}: ${stderr}`);
    expect(readFileSync(file).equals(whole.subarray(12345, 12345 + 170001)), "the part differs");
  });
}

async function testCases(): Promise<void> {
  const media = [a, b].map(({ path }) => {
    writeMedium(path, 0n, randomContent(4 * MIB));
    return sha256(readMedium(path, 0n, 4 * MIB));
  });

  await check("cmb test by CPU and by the drive's own DMA", () => {
    const { stdout, stderr, status } = cmb("test", a.bdf, "512k", "--json");
    expect(status === 0, `exit ${status}: ${stderr}`);
    const { isGood, isComplete, steps, dma, testedBytes } = JSON.parse(stdout);
    expect(isGood && isComplete && testedBytes === String(MIB / 2), stdout);
    const names = steps.map(({ test }: { test: string }) => test);
    expect(String(names) === "walking-ones,address,random,dma", String(names));
    expect(dma.path === a.path && dma.bytes === String(MIB / 2) && !dma.mediumIsUniform, text(dma));
  });

  await check("the DMA of a peer is tested, too", () =>
    withMemory(MIB, "sysfs", async (held) => {
      const [slot] = held.slots;
      if (!slot) throw new Error("no slot");
      const client = openClient(sys, native, providerA(), slot, b.controller.name);
      const pieces = [{ mapping: held.mapping, base: placesOf(held)?.[0]?.start ?? 0n }];
      const plan = { patterns: [], client, seed: 5n, passes: 1 };
      const { badWords, dma } = await testMemory(native, pieces, plan, providerA());
      client.close();
      expect(client.endpoint.device?.client === b.bdf, text(client.endpoint.device));
      expect(badWords === 0n && dma?.bytes === BigInt(MIB) && !dma.isUniform, text({ badWords, dma }));
    }),
  );

  await check("takeFreeMemory() takes all that is free, in as many pieces as others have left", async () => {
    const provider = requireProvider(sys, b.bdf);
    const [first, gap, last] = ["15M", "512k", "15M"].map((size) =>
      takeMemory(native, provider, size === "15M" ? BigInt(15 * MIB) : BigInt(MIB / 2), "sysfs"),
    );
    gap?.close();
    const free = available(b.bdf);
    const pieces = takeFreeMemory(sys, native, provider, undefined, undefined);
    const taken = pieces.reduce((sum, { mapping }) => sum + mapping.lengthBytes, 0);
    const tested = pieces.map((piece) => ({
      mapping: piece.mapping,
      base: placesOf(piece)?.[0]?.start ?? 0n,
    }));
    const plan = { patterns: CPU_PATTERNS.slice(1, 2), client: undefined, seed: 1n, passes: 1 };
    const { badWords } = await testMemory(native, tested, plan, provider);
    for (const held of [first, last, ...pieces]) held?.close();
    expect(taken === free && pieces.length > 1, `${taken} of ${free} in ${pieces.length} pieces`);
    expect(badWords === 0n, `${badWords} bad words`);
  });

  await check("no medium has been written", () => {
    for (const [index, { path }] of [a, b].entries())
      expect(sha256(readMedium(path, 0n, 4 * MIB)) === media[index], `${path} has changed`);
  });

  await check("cmb test by a drive that the kernel refuses ends with 3 and the reason", () => {
    const stranger = reportOf("STRANGER").bdf;
    const args = ["test", a.bdf, "1M", "--by", "dma", "--dma-from", stranger];
    failsWith(3, /the kernel refuses DMA between .*\nhint: .*--by cpu/, ...args);
  });

  await check("cmb test finds memory that changes under it, names the place, and ends with 4", () =>
    running(["test", a.bdf, "256k", "--by", "cpu", "--passes", "20", "--json"], async (test) => {
      const bar = native.open(`/sys/bus/pci/devices/${a.bdf}/resource2`, constants.O_RDWR);
      const window = native.mapShared(bar.fd, MIB, bar.path);
      const damage = Buffer.from("0badc0de0badc0de", "hex");
      const place = { mapping: window, offsetBytes: 131072 + 4096, lengthBytes: 8 };
      let isOver = false;
      void test.exitCode.finally(() => {
        isOver = true;
      });
      while (!isOver) {
        await native.writeMemory(place, damage);
        await delay(3);
      }
      window.close();
      native.close(bar);
      expect((await test.exitCode) === 4, `exit ${await test.exitCode}: ${test.output()}`);
      const report = JSON.parse(test.output());
      const [bad] = report.bad;
      expect(!report.isGood && bad.got === "0xdec0ad0bdec0ad0b" && bad.badWords === "1", text(bad));
      expect(bad.barOffsetBytes === String(131072 + 4096) && bad.bar === 2, text(bad));
    }),
  );

  await check("cmb test ends with 130 at SIGINT, tells how far it was, and frees the memory", () => {
    const before = available(a.bdf);
    return running(["test", a.bdf, "4M", "--passes", "1000", "--json"], async (test) => {
      await until(() => available(a.bdf) < before, "the memory to be taken");
      await delay(300);
      test.process.kill("SIGINT");
      expect((await test.exitCode) === 130, `exit ${await test.exitCode}`);
      const { isComplete, isGood } = JSON.parse(test.output());
      expect(isComplete === false && isGood === true, test.output());
      expect(available(a.bdf) === before, `available ${available(a.bdf)}`);
    });
  });
}

await showCases();
await allocCases();
await fillCases();
await testCases();
