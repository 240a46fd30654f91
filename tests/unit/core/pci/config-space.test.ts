// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  ACS_BITS,
  findExtendedCapability,
  type PortType,
  parseConfigSpace,
  redirects,
} from "../../../../core/pci/config-space.ts";
import { configBytes } from "../../config-bytes.ts";

const bridge = { ids: "8086:347a", classCode: 0x060400, type: "root-port" as PortType };
const acsOf = (control: number, capability = 0x5f) =>
  parseConfigSpace(configBytes({ ...bridge, acs: { capability, control } })).acs;

const types: PortType[] = [
  ...(["endpoint", "legacy-endpoint", "root-port", "upstream-port", "downstream-port"] as const),
  ...(["pcie-to-pci-bridge", "pci-to-pcie-bridge", "root-complex-endpoint"] as const),
  ...(["root-complex-event-collector", "conventional"] as const),
];
for (const type of types) {
  test(`parseConfigSpace() knows a ${type}`, () => {
    assert.is(parseConfigSpace(configBytes({ ...bridge, type })).portType, type);
  });
}

test("parseConfigSpace() does not guess at a port type that the specification reserves", () => {
  for (const reserved of [0x2, 0x3, 0xb, 0xf]) {
    const space = configBytes(bridge);
    space.writeUInt16LE(0x0002 | (reserved << 4), 0x72);
    assert.is(parseConfigSpace(space).portType, undefined);
  }
});

test("parseConfigSpace() finds ACS behind other extended capabilities, with both registers", () => {
  assert.equal(acsOf(0x1d), { state: "present", offset: 0x160, capability: 0x5f, control: 0x1d });
});

test("parseConfigSpace() says absent only when the whole list was seen", () => {
  assert.equal(parseConfigSpace(configBytes(bridge)).acs, { state: "absent" });
  assert.equal(parseConfigSpace(configBytes({ ...bridge, type: "conventional" })).acs, { state: "absent" });
});

const empty: [string, number][] = [
  ["zeroes", 0],
  ["ones", 0xffffffff],
];
for (const [what, header] of empty) {
  test(`parseConfigSpace() takes ${what} at 0x100 for an empty list`, () => {
    const space = configBytes({ ...bridge, acs: { capability: 0x5f, control: 0x1d } });
    space.writeUInt32LE(header, 0x100);
    assert.equal(parseConfigSpace(space).acs, { state: "absent" });
  });
}

test("redirects() asks for RR, CR and EC and for nothing else", () => {
  const redirecting = ACS_BITS.requestRedirect | ACS_BITS.completionRedirect | ACS_BITS.egressControl;
  for (let bit = 1; bit <= 0x40; bit <<= 1)
    assert.is(redirects(acsOf(bit)), (redirecting & bit) !== 0, `bit ${bit}`);
  assert.is(redirects(acsOf(0, 0x7f)), false, "what it could do does not count");
  assert.is(redirects({ state: "absent" }), false);
  assert.is(redirects({ state: "unknown" }), undefined);
});

const lengths: [number, PortType | undefined, string][] = [
  [0, undefined, "unknown"],
  [1, undefined, "unknown"],
  [63, undefined, "unknown"],
  [64, undefined, "unknown"],
  [65, undefined, "unknown"],
  [0x72, undefined, "unknown"],
  [0x74, "root-port", "unknown"],
  [255, "root-port", "unknown"],
  [257, "root-port", "unknown"],
  [0x150, "root-port", "unknown"],
  [0x167, "root-port", "unknown"],
  [0x168, "root-port", "present"],
  [4096, "root-port", "present"],
];
for (const [length, portType, state] of lengths) {
  test(`parseConfigSpace() of ${length} bytes: ${portType ?? "no type"}, ACS ${state}`, () => {
    const found = parseConfigSpace(configBytes({ ...bridge, acs: { capability: 0x5f, control: 0 }, length }));
    assert.is(found.portType, portType);
    assert.is(found.acs.state, state);
  });
}

test("parseConfigSpace() of exactly 256 bytes: the kernel has no more and finds no ACS", () => {
  const space = configBytes({ ...bridge, acs: { capability: 0x5f, control: 0x1d }, length: 256 });
  assert.equal(parseConfigSpace(space), { portType: "root-port", acs: { state: "absent" } });
});

test("parseConfigSpace() takes a function that reads as ones for one that has gone", () => {
  assert.equal(parseConfigSpace(Buffer.alloc(4096, 0xff)), {
    portType: undefined,
    acs: { state: "unknown" },
  });
});

test("parseConfigSpace() ends with a list that runs in a circle", () => {
  const space = configBytes({ ...bridge, type: "root-port" });
  space.writeUInt8(0x40, 0x51);
  assert.is(parseConfigSpace(space).portType, "conventional", "the PCI Express capability is cut off");
  const extended = configBytes(bridge);
  extended.writeUInt32LE(0x0001 | (1 << 16) | (0x100 << 20), 0x148);
  assert.equal(parseConfigSpace(extended).acs, { state: "absent" });
  assert.is(findExtendedCapability(extended, 0x0003), undefined);
});

test("parseConfigSpace() ends with a list that points back into the conventional part", () => {
  const space = configBytes({ ...bridge, acs: { capability: 0x5f, control: 0x1d } });
  space.writeUInt32LE(0x0001 | (1 << 16) | (0x40 << 20), 0x100);
  assert.equal(parseConfigSpace(space).acs, { state: "absent" });
});

test("parseConfigSpace() without the capability bit has no list", () => {
  const space = configBytes(bridge);
  space.writeUInt16LE(0, 0x06);
  assert.is(parseConfigSpace(space).portType, "conventional");
});

test("parseConfigSpace() ignores the two low bits of pointers, as the kernel does", () => {
  const space = configBytes(bridge);
  space.writeUInt8(0x43, 0x34);
  space.writeUInt8(0x53, 0x41);
  assert.is(parseConfigSpace(space).portType, "root-port");
  const extended = configBytes({ ...bridge, acs: { capability: 0x5f, control: 0x1d } });
  extended.writeUInt32LE(0x0001 | (1 << 16) | (0x14b << 20), 0x100);
  assert.is(parseConfigSpace(extended).acs.state, "present");
});

test.run();
