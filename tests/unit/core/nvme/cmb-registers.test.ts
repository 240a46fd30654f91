// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { explainBarError, readCmbRegisters } from "../../../../core/nvme/cmb-registers.ts";
import type { Bdf } from "../../../../core/pci/bdf.ts";
import { type Mapping, type Native, SyscallError } from "../../../../ffi/index.ts";
import { BDF, cmbTree } from "./cmb-tree.ts";

const bdf = BDF as Bdf;
const ERRNO = { EPERM: 1, ENOENT: 2, EIO: 5, EACCES: 13, ENODEV: 19, EINVAL: 22 };

/** A BAR with these registers, by offset; all others read as zero. */
function barOf(registers: Record<number, number>, log: string[] = []): Native {
  return {
    mapRegisters: (path: string) => {
      log.push(path);
      return { close: () => log.push("closed") } as unknown as Mapping;
    },
    readRegisters: (_: Mapping, offsets: readonly number[]) =>
      offsets.map((offset) => registers[offset] ?? 0),
  } as unknown as Native;
}

function barThat(code: keyof typeof ERRNO): Native {
  return {
    mapRegisters: (path: string) => {
      throw new SyscallError("mmap", ERRNO[code], path);
    },
  } as unknown as Native;
}

test("readCmbRegisters() prefers sysfs, and takes the rest from BAR 0", () => {
  const log: string[] = [];
  const native = barOf({ 4: 0x02000000, 8: 0x10400, 60: 7, 80: 0xf4000003, 84: 1, 96: 9 }, log);
  const { registers, sources, problem } = readCmbRegisters(cmbTree(), bdf, "nvme0", native);
  assert.equal(registers, {
    ...{ cap: 0x0200000000000000n, vs: 0x10400, cmbloc: 0x62, cmbsz: 0x4021d },
    ...{ cmbmsc: 0x1f4000003n, cmbsts: 0, cmbebs: 0, cmbswtp: 9 },
  });
  assert.equal([sources.cmbsz, sources.cap], ["sysfs", "BAR"]);
  assert.is(problem, undefined);
  assert.equal(log, [`/sys/bus/pci/devices/${BDF}/resource0`, "closed"]);
});

for (const prefix of ["x", "0x"]) {
  test(`readCmbRegisters() reads the cmb file of older kernels (${prefix})`, () => {
    const files = cmbTree();
    files.remove("/sys/class/nvme/nvme0/cmbloc");
    files.remove("/sys/class/nvme/nvme0/cmbsz");
    files.write("/sys/class/nvme/nvme0/cmb", `cmbloc : ${prefix}00000062\ncmbsz  : ${prefix}0004021d\n`);
    const { registers } = readCmbRegisters(files, bdf, "nvme0", undefined);
    assert.equal(registers, { cmbloc: 0x62, cmbsz: 0x4021d });
  });
}

test("readCmbRegisters() of a capture shows what sysfs shows and says why not more", () => {
  const { registers, problem } = readCmbRegisters(cmbTree(), bdf, "nvme0", undefined);
  assert.equal(registers, { cmbloc: 0x62, cmbsz: 0x4021d });
  assert.match(problem ?? "", /capture/);
});

test("readCmbRegisters() does not take all ones for registers", () => {
  const ones = Object.fromEntries(Array.from({ length: 32 }, (_, index) => [index * 4, 0xffffffff]));
  const { registers, problem } = readCmbRegisters(cmbTree(), bdf, "nvme0", barOf(ones));
  assert.equal(registers, { cmbloc: 0x62, cmbsz: 0x4021d });
  assert.match(problem ?? "", /all ones/);
});

test("readCmbRegisters() does not wake a device", () => {
  const files = cmbTree();
  files.write(`/sys/bus/pci/devices/${BDF}/power_state`, "D3cold\n");
  const log: string[] = [];
  assert.match(readCmbRegisters(files, bdf, "nvme0", barOf({}, log)).problem ?? "", /sleeps \(D3cold\)/);
  assert.equal(log, []);
});

test("readCmbRegisters() shows sysfs when the BAR is refused", () => {
  const { registers, problem } = readCmbRegisters(cmbTree(), bdf, "nvme0", barThat("EACCES"));
  assert.is(registers.cmbsz, 0x4021d);
  assert.match(problem ?? "", /only root/);
});

test("explainBarError() tells lockdown from a missing capability", () => {
  const files = cmbTree();
  const error = new SyscallError("mmap", ERRNO.EPERM, "x");
  assert.match(explainBarError(files, bdf, error), /CAP_SYS_RAWIO/);
  files.write("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
  assert.match(explainBarError(files, bdf, error), /lockdown \(integrity\)/);
  files.write("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
  assert.match(explainBarError(files, bdf, error), /CAP_SYS_RAWIO/);
});

test("explainBarError() names the driver that keeps the BAR, and the way out", () => {
  const files = cmbTree();
  const error = new SyscallError("mmap", ERRNO.EINVAL, "x");
  assert.match(explainBarError(files, bdf, error), /\(nvme\).*CONFIG_IO_STRICT_DEVMEM.*iomem=relaxed/);
  files.remove(`/sys/bus/pci/devices/${BDF}/driver`);
  assert.match(explainBarError(files, bdf, error), /EINVAL/);
});

test("explainBarError() tells a device that is gone from one without resource0", () => {
  const error = new SyscallError("open", ERRNO.ENOENT, "x");
  assert.match(explainBarError(cmbTree(), bdf, error), /no resource0/);
  assert.match(explainBarError(cmbTree(), "0000:09:00.0" as Bdf, error), /gone/);
});

test("explainBarError() passes on what it does not know", () => {
  assert.match(explainBarError(cmbTree(), bdf, new SyscallError("mmap", ERRNO.EIO, "x")), /EIO/);
});

test.run();
