// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { renderCmbs } from "../../../../cli/cmb-show-text.ts";
import { P2pdmaError } from "../../../../core/errors.ts";
import { findMappedAreas, listHolders } from "../../../../core/nvme/cmb-holders.ts";
import { cmbDocument } from "../../../../core/nvme/cmb-json.ts";
import { reportCmbs } from "../../../../core/nvme/cmb-report.ts";
import type { Bdf } from "../../../../core/pci/bdf.ts";
import type { Mapping, Native } from "../../../../ffi/index.ts";
import type { MemoryFiles } from "../../memory-files.ts";
import { BDF, cmbTree, mapsLine } from "./cmb-tree.ts";

const DEVICE = `/sys/bus/pci/devices/${BDF}`;

/** QEMU's registers, with some of them changed. */
function qemuBar(changed: Record<number, number> = {}): Native {
  const registers: Record<number, number> = {
    ...{ 0: 0x0f0107ff, 4: 0x02401820, 8: 0x10400, 56: 0x62, 60: 0x4021d, 80: 0xf4000003 },
    ...changed,
  };
  return {
    mapRegisters: () => ({ close: () => {} }) as unknown as Mapping,
    readRegisters: (_: Mapping, offsets: readonly number[]) =>
      offsets.map((offset) => registers[offset] ?? 0),
  } as unknown as Native;
}

function withoutP2pmem(files: MemoryFiles): MemoryFiles {
  for (const name of ["size", "available", "published"]) files.remove(`${DEVICE}/p2pmem/${name}`);
  files.remove(`${DEVICE}/p2pmem`);
  return files;
}

function only(files: MemoryFiles, native: Native | undefined = qemuBar(), names: string[] = []) {
  const [report, ...more] = reportCmbs(files, native, names);
  assert.is(more.length, 0);
  if (!report) throw new Error("no report");
  return report;
}

test("reportCmbs() finds the CMB's place in the machine, and who has taken of it", () => {
  const { window, p2pmem, cmb } = only(cmbTree());
  assert.is(cmb.state, "present");
  assert.equal([window?.start, window?.end, window?.isCut], [0xf4000000n, 0xf8000000n, false]);
  assert.equal([p2pmem?.usedBytes, p2pmem?.queuesInCmb], [131072n, true]);
});

for (const name of ["nvme0", "/dev/nvme0", BDF, "03:00.0"]) {
  test(`reportCmbs() finds ${name}`, () => {
    assert.is(only(cmbTree(), qemuBar(), [name]).controller?.name, "nvme0");
  });
}

const strangers: [string, string, RegExp][] = [
  ["nvme7", "/nothing", /no such controller/],
  ["0000:09:00.0", "/nothing", /no such device/],
  ["0000:08:00.0", "/sys/bus/pci/devices/0000:08:00.0/class", /no NVMe device, and offers no p2pmem/],
];
for (const [name, path, message] of strangers) {
  test(`reportCmbs() refuses ${name}: ${message.source}`, () => {
    const files = cmbTree();
    files.write(path, "0x020000\n");
    const isRight = (error: Error) =>
      error instanceof P2pdmaError && error.code === "NOT_FOUND" && message.test(error.message);
    assert.throws(() => reportCmbs(files, undefined, [name]), isRight);
  });
}

test("reportCmbs() knows controllers over a network, which have no CMB", () => {
  const files = cmbTree();
  files.write("/sys/class/nvme/nvme1/address", "traddr=10.0.0.1,trsvcid=4420\n");
  assert.is(reportCmbs(files, undefined, []).length, 1);
  assert.throws(() => reportCmbs(files, undefined, ["nvme1"]), /over a network/);
});

test("reportCmbs() reads the BAR of an NVMe device that no driver has", () => {
  const files = cmbTree();
  for (const name of ["address", "cmbloc", "cmbsz"]) files.remove(`/sys/class/nvme/nvme0/${name}`);
  const { cmb, controller, noP2pmem } = only(withoutP2pmem(files), qemuBar(), [BDF]);
  assert.is(controller, undefined);
  assert.is(cmb.state, "present");
  assert.match(noP2pmem ?? "", /not bound/);
});

test("reportCmbs() shows the p2pmem of a provider that is no NVMe device, without touching its BAR", () => {
  const files = cmbTree();
  const other = "/sys/bus/pci/devices/0000:08:00.0";
  files.write(`${other}/class`, "0x050000\n");
  files.link(`${other}/driver`, "/sys/bus/pci/drivers/pci-p2pmem-bar");
  files.folder("/sys/bus/pci/drivers/pci-p2pmem-bar");
  files.write(`${other}/p2pmem/size`, "4194304\n");
  files.write(`${other}/p2pmem/available`, "4194304\n");
  const untouchable = {} as Native;
  const report = only(files, untouchable, ["0000:08:00.0"]);
  assert.equal(
    [report.isNvme, report.cmb.state, report.p2pmem?.provider.sizeBytes],
    [false, "none", 4194304n],
  );
  assert.is(
    renderCmbs([report]),
    `pci-p2pmem-bar (0000:08:00.0)
  CMB         none: it is no NVMe device
  p2pmem      4 MiB, 4 MiB free, not published to other drivers
`,
  );
});

test("reportCmbs() cuts a CMB at the end of its BAR", () => {
  const files = cmbTree();
  const bar2 = "0x00000000f4000000 0x00000000f5ffffff 0x000000000014220c";
  const none = "0x0 0x0 0x0";
  files.write(`${DEVICE}/resource`, [none, none, bar2].join("\n"));
  const { window } = only(files);
  assert.equal([window?.end, window?.isCut], [0xf6000000n, true]);
});

test("reportCmbs() explains why a CMB is no p2pmem", () => {
  assert.match(only(withoutP2pmem(cmbTree())).noP2pmem ?? "", /CONFIG_PCI_P2PDMA/);
  const small = withoutP2pmem(cmbTree());
  small.write("/sys/class/nvme/nvme0/cmbsz", `${0x101d}\n`);
  assert.match(only(small).noP2pmem ?? "", /2 MiB/);
  const lost = withoutP2pmem(cmbTree());
  lost.write(`${DEVICE}/resource`, "0x0 0x0 0x0\n");
  assert.match(only(lost).noP2pmem ?? "", /BAR 2 has no address/);
});

/** Frames of other processes' pages, by address. */
function framesOf(frames: Record<number, bigint>) {
  return { frameOfProcess: (_: number, address: bigint) => frames[Number(address)] };
}

test("listHolders() knows the sysfs file by name and other mappings by their place", () => {
  const files = cmbTree();
  const allocate = `/sys/devices/pci0000:00/0000:00:01.0/${BDF}/p2pmem/allocate`;
  files.write("/proc/10/comm", "p2pdma\n");
  files.write(
    "/proc/10/maps",
    [mapsLine("10000", "210000", allocate), mapsLine("7f1000", "7f2000", "/usr/lib/libc.so.6")].join("\n"),
  );
  files.write("/proc/11/comm", "fio\n");
  files.write(
    "/proc/11/maps",
    [
      mapsLine("20000", "220000", "anon_inode:[p2pmem]"),
      mapsLine("300000", "500000", "/dev/nvme0"),
      mapsLine("600000", "a00000", "anon_inode:[p2pmem]"),
    ].join("\n"),
  );
  files.write("/proc/12/maps", `${mapsLine("1000", "2000", allocate.replace("03:00.0", "04:00.0"))}\n`);
  files.write("/proc/meminfo", "");
  const frames = framesOf({ 131072: 0xf4020n, 3145728: 0xf5000n, 6291456: 0xf9000n });
  assert.equal(listHolders(files, frames, BDF as Bdf, findMappedAreas(files)), [
    { pid: 11, command: "fio", sizeBytes: 4n << 20n },
    { pid: 10, command: "p2pdma", sizeBytes: 2n << 20n },
  ]);
});

test("cmbDocument() is JSON with null for what is not known", () => {
  const document = JSON.parse(JSON.stringify(cmbDocument(reportCmbs(cmbTree(), undefined, []))));
  assert.is(document.schema, "p2pdma.cmb/1");
  const [controller] = document.controllers;
  assert.equal(controller.location, {
    ...{ bar: 2, offsetBytes: "0", sizeBytes: "67108864", unitBytes: "1048576" },
  });
  assert.equal(controller.window, { start: "0xf4000000", end: "0xf8000000", isCutByBar: false });
  assert.equal(
    [controller.registers.cmbloc, controller.registers.cap, controller.control],
    ["0x00000062", null, null],
  );
  assert.is(controller.p2pmem.availableBytes, "66977792");
  const live = JSON.parse(JSON.stringify(cmbDocument(reportCmbs(cmbTree(), qemuBar(), []))));
  assert.is(live.controllers[0].registers.cap, "0x024018200f0107ff");
  assert.is(live.controllers[0].barProblem, null);
});

test("renderCmbs() shows a CMB in words", () => {
  assert.is(
    renderCmbs(reportCmbs(cmbTree(), qemuBar({ 92: 0x1012, 96: 0xfa02 }), [])),
    `nvme0 (0000:03:00.0, M, serial S, firmware F, NVMe 1.4.0)
  CMB         64 MiB (67108864 bytes) in BAR 2, from byte 0 on: 0xf4000000-0xf7ffffff
  may hold    submission queues (SQS), PRP lists and SGLs (LISTS), data that is read from the drive (RDS), data that is written to the drive (WDS)
  may not     completion queues (CQS)
  enabled     by the host (CAP.CMBS is 1): registers on (CRE), memory on (CMSE), at bus address 0xf4000000 (CBA), which the drive accepted (CBAI)
  rules       CQMMS   enforced      a queue lies in the CMB as a whole or not at all
              CQPDS   enforced      a queue in the CMB is one contiguous piece
              CDPMLS  not enforced  a PRP list or SGL may itself lie partly in the CMB and partly in other memory
              CDPCILS not enforced  a command of any queue may have its PRP list or SGL in the CMB
              CDMMMS  enforced      data and metadata of a command lie in the CMB as a whole or not at all
              CQDA    0             queues in the CMB are aligned like any other
  burst       16 MiB of writes at full link speed (reads overtake waiting writes) (CMBEBS)
  sustained   250 MiB/s (CMBSWTP)
  p2pmem      64 MiB, 63.9 MiB free, published to other drivers
  taken by    128 KiB: the kernel's submission queues (nvme.use_cmb_sqes=Y), or processes that can't be seen
  in sysfs    CMBLOC 0x00000062  CMBSZ 0x0004021d
  in BAR 0    CAP 0x024018200f0107ff  CMBMSC 0x00000000f4000003  CMBSTS 0x00000000  CMBEBS 0x00001012  CMBSWTP 0x0000fa02
`,
  );
});

const texts: [what: string, native: Native | undefined, RegExp][] = [
  ["a capture", undefined, /not read {4}CAP, CMBMSC, CMBSTS, CMBEBS, CMBSWTP: a capture has no BAR/],
  ["memory that is not switched on", qemuBar({ 80: 1 }), /answers to no address[\s\S]*memory off \(CMSE\)\n/],
  ["a refused address", qemuBar({ 88: 1 }), /REFUSED \(CBAI\)/],
  ["a drive before 1.4", qemuBar({ 4: 0 }), /enabled {5}always \(as before NVMe 1\.4/],
];
for (const [what, native, pattern] of texts) {
  test(`renderCmbs() tells ${what}`, () => {
    assert.match(renderCmbs(reportCmbs(cmbTree(), native, [])), pattern);
  });
}

const absent: [what: string, native: Native | undefined, RegExp][] = [
  ["no CMB", qemuBar({ 4: 0, 56: 0, 60: 0 }), /CMB {9}none\n/],
  ["a CMB that is not enabled", qemuBar({ 56: 0, 60: 0, 80: 0 }), /has not enabled it/],
  ["what can't be known", undefined, /CMB {9}none that the kernel shows/],
];
for (const [what, native, pattern] of absent) {
  test(`renderCmbs() tells ${what}`, () => {
    const files = withoutP2pmem(cmbTree());
    for (const name of ["cmbloc", "cmbsz"]) files.remove(`/sys/class/nvme/nvme0/${name}`);
    assert.match(renderCmbs(reportCmbs(files, native, [])), pattern);
  });
}

test("renderCmbs() of no controllers points to the lab", () => {
  assert.match(renderCmbs([]), /p2pdma lab run/);
});

test.run();
