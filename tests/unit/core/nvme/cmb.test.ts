// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CmbRegisters, type CmbState, decodeCmb } from "../../../../core/nvme/cmb.ts";

const CMBS = 1n << 57n;

/** As QEMU 7.2 answers for `cmb_size_mb=64`: NVMe 1.4, enabled by Linux. */
const qemu: CmbRegisters = {
  ...{ cap: 0x024018200f0107ffn, vs: 0x00010400, cmbloc: 0x62, cmbsz: 0x0004021d },
  ...{ cmbmsc: 0xf4000003n, cmbsts: 0, cmbebs: 0, cmbswtp: 0 },
};

/** CMBSZ with these fields. */
function sizeRegister(units: number, sizeUnit: number, flags = 0x1f): number {
  return ((units << 12) | (sizeUnit << 8) | flags) >>> 0;
}

const sizes: [sizeUnit: number, units: number, bytes: bigint][] = [
  [0, 1, 4096n],
  [0, 0xfffff, 0xfffffn << 12n],
  [1, 3, 3n << 16n],
  [2, 64, 64n << 20n],
  [3, 2, 2n << 24n],
  [4, 16, 4n << 30n],
  [5, 2, 8n << 30n],
  [6, 1, 64n << 30n],
  [6, 0xfffff, 0xfffffn << 36n],
];
for (const [sizeUnit, units, bytes] of sizes) {
  test(`decodeCmb() takes ${units} units of SZU ${sizeUnit} as ${bytes} bytes, and so the offset`, () => {
    const { location } = decodeCmb({
      cmbloc: ((units << 12) | 2) >>> 0,
      cmbsz: sizeRegister(units, sizeUnit),
    });
    assert.equal(location, {
      ...{ bar: 2, unitBytes: 1n << BigInt(12 + 4 * sizeUnit), sizeBytes: bytes, offsetBytes: bytes },
    });
  });
}

const states: [what: string, registers: CmbRegisters, state: CmbState][] = [
  ["QEMU's", qemu, "present"],
  ["that of a drive before 1.4", { cap: 0n, cmbloc: 2, cmbsz: 0x04000213 }, "present"],
  ["sysfs alone", { cmbloc: 2, cmbsz: 0x04000213 }, "present"],
  ["1.4, CRE clear", { cap: CMBS, cmbloc: 0, cmbsz: 0, cmbmsc: 0n }, "disabled"],
  ["1.4, CMSE clear", { ...qemu, cmbmsc: 1n }, "unmapped"],
  ["1.4, cleared again, but still known to the kernel", { ...qemu, cmbmsc: 0n }, "unmapped"],
  ["no CMB", { cap: 0n, cmbloc: 0, cmbsz: 0 }, "none"],
  ["nothing", {}, "unknown"],
  ["zero, without CAP", { cmbsz: 0, cmbloc: 0 }, "unknown"],
  ["a reserved size unit", { ...qemu, cmbsz: sizeRegister(1, 7) }, "reserved"],
  ["a reserved BAR", { ...qemu, cmbloc: 1 }, "reserved"],
  ["a size of zero units", { ...qemu, cmbsz: 0x1f }, "reserved"],
];
for (const [what, registers, state] of states) {
  test(`decodeCmb() calls ${what} ${state}`, () => assert.is(decodeCmb(registers).state, state));
}

test("decodeCmb() reads what may be placed in it, bit by bit", () => {
  const names = ["submissionQueues", "completionQueues", "lists", "readData", "writeData"];
  for (const [bit, name] of names.entries()) {
    const { supports } = decodeCmb({ cmbloc: 0, cmbsz: sizeRegister(1, 0, 1 << bit) });
    const expected = Object.fromEntries(names.map((other) => [other, other === name]));
    assert.equal(supports, expected);
  }
});

test("decodeCmb() calls a rule enforced when its bit is clear, and not when it is set", () => {
  const fields = ["CQMMS", "CQPDS", "CDPMLS", "CDPCILS", "CDMMMS"];
  for (const [index, field] of fields.entries()) {
    const { restrictions } = decodeCmb({ cmbloc: 1 << (3 + index), cmbsz: sizeRegister(1, 0) });
    assert.equal(
      restrictions.map((rule) => [rule.field, rule.isEnforced]),
      fields.map((name) => [name, name !== field]),
    );
  }
  const free = decodeCmb({ cmbloc: 0xf8, cmbsz: sizeRegister(1, 0) }).restrictions;
  const enforced = decodeCmb({ cmbloc: 0, cmbsz: sizeRegister(1, 0) }).restrictions;
  for (const [index, { meaning }] of free.entries()) assert.is.not(meaning, enforced[index]?.meaning);
});

test("decodeCmb() reads CQDA", () => {
  assert.is(decodeCmb({ cmbloc: 0x100, cmbsz: sizeRegister(1, 0) }).queuesDwordAligned, true);
  assert.is(decodeCmb({ cmbloc: 0, cmbsz: sizeRegister(1, 0) }).queuesDwordAligned, false);
});

test("decodeCmb() reads QEMU's registers as QEMU means them", () => {
  const cmb = decodeCmb(qemu);
  assert.equal(cmb.location, { bar: 2, offsetBytes: 0n, sizeBytes: 64n << 20n, unitBytes: 1n << 20n });
  assert.equal(cmb.supports, {
    ...{ submissionQueues: true, completionQueues: false, lists: true, readData: true, writeData: true },
  });
  const free = cmb.restrictions.filter(({ isEnforced }) => !isEnforced).map(({ field }) => field);
  assert.equal(free, ["CDPMLS", "CDPCILS"]);
  assert.equal(cmb.control, { registersEnabled: true, memorySpaceEnabled: true, baseAddress: 0xf4000000n });
  assert.is(cmb.isBaseInvalid, false);
  assert.is(cmb.version, "1.4.0");
  assert.equal([cmb.elasticity, cmb.sustainedWriteBytesPerSecond], [undefined, undefined]);
});

test("decodeCmb() keeps all 52 bits of CBA and no other", () => {
  const cmb = decodeCmb({ ...qemu, cmbmsc: 0xffffffffffffffffn });
  assert.is(cmb.control?.baseAddress, 0xfffffffffffff000n);
});

test("decodeCmb() reports an address that the drive refused", () => {
  assert.is(decodeCmb({ ...qemu, cmbsts: 1 }).isBaseInvalid, true);
});

const amounts: [register: number, value: bigint | undefined][] = [
  [0x00000000, undefined],
  [0x00000100, 1n],
  [0x00000101, 1n << 10n],
  [0x0000fa02, 250n << 20n],
  [0x00000303, 3n << 30n],
  [0xffffff03, 0xffffffn << 30n],
  [0x00000104, undefined],
  [0x00000002, undefined],
];
for (const [register, value] of amounts) {
  test(`decodeCmb() takes 0x${register.toString(16)} as ${value ?? "nothing"}`, () => {
    const cmb = decodeCmb({ ...qemu, cmbebs: register, cmbswtp: register });
    assert.is(cmb.elasticity?.sizeBytes, value);
    assert.is(cmb.sustainedWriteBytesPerSecond, value);
  });
}

test("decodeCmb() tells whether reads overtake the writes of the elasticity buffer", () => {
  assert.is(decodeCmb({ ...qemu, cmbebs: 0x112 }).elasticity?.readsBypass, true);
  assert.is(decodeCmb({ ...qemu, cmbebs: 0x102 }).elasticity?.readsBypass, false);
});

test("decodeCmb() makes nothing of what was reserved before 1.4", () => {
  const cmb = decodeCmb({ ...qemu, cap: 0n, cmbmsc: 3n, cmbsts: 1, cmbebs: 0x102, cmbswtp: 0x102 });
  const found = [cmb.control, cmb.isBaseInvalid, cmb.elasticity, cmb.sustainedWriteBytesPerSecond];
  assert.equal(found, [undefined, undefined, undefined, undefined]);
  assert.is(cmb.isHostEnabled, false);
});

test.run();
