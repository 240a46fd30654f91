// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { compareProblem } from "../../../../core/nvme/compare.ts";
import { decodeIdentity, type NamespaceIdentity } from "../../../../core/nvme/identify.ts";
import { describeStatus } from "../../../../core/nvme/status.ts";

/** Controller and namespace data of a drive that says little. */
function plain(): [controller: Buffer, namespace: Buffer] {
  const namespace = Buffer.alloc(4096);
  namespace.writeUInt8(9, 130);
  return [Buffer.alloc(4096), namespace];
}

function decode(change: (controller: Buffer, namespace: Buffer) => void, pageBytes = 4096) {
  const [controller, namespace] = plain();
  change(controller, namespace);
  return decodeIdentity(controller, namespace, pageBytes);
}

test("a drive that says nothing has nothing, and no limit on transfers", () => {
  const identity = decode(() => {});
  assert.equal(Object.values(identity.oncs), [false, false, false, false, false]);
  assert.is(identity.mdtsBytes, undefined);
  assert.is(identity.lbaBytes, 512);
  assert.is(identity.metadataBytes, 0);
  assert.is(identity.deallocatedReads, "not told");
  assert.is(identity.nguid, undefined);
  assert.equal(identity.copyLimits, { rangeLbas: 0, commandLbas: 0, ranges: 1, hasFormat0: false });
});

test("each ONCS bit is its own command", () => {
  const bits = { compare: 0, datasetManagement: 2, writeZeroes: 3, verify: 7, copy: 8 };
  for (const [name, bit] of Object.entries(bits)) {
    const { oncs } = decode((controller) => controller.writeUInt16LE(1 << bit, 520));
    assert.equal(
      Object.entries(oncs).filter(([, has]) => has),
      [[name, true]],
    );
  }
});

test("MDTS counts in pages of the controller", () => {
  const identity = (pageBytes: number) => decode((controller) => controller.writeUInt8(5, 77), pageBytes);
  assert.is(identity(4096).mdtsBytes, 131_072);
  assert.is(identity(65_536).mdtsBytes, 2 << 20);
});

test("the format in use is found by FLBAS, also past 16 formats", () => {
  const format = (flbas: number, index: number) =>
    decode((_, namespace) => {
      namespace.writeUInt8(flbas, 26);
      namespace.writeUInt16LE(8, 128 + 4 * index);
      namespace.writeUInt8(12, 128 + 4 * index + 2);
    });
  for (const [flbas, index] of [
    [0x01, 1],
    [0x11, 1],
    [0x21, 17],
    [0x63, 51],
  ] as const) {
    const { lbaBytes, metadataBytes } = format(flbas, index);
    assert.equal([lbaBytes, metadataBytes], [4096, 8], `FLBAS ${flbas}`);
  }
});

test("DLFEAT says what deallocated LBAs read as, and whether Write Zeroes deallocates", () => {
  const reads = (dlfeat: number) => {
    const identity = decode((_, namespace) => namespace.writeUInt8(dlfeat, 33));
    return [identity.deallocatedReads, identity.canDeallocateByWriteZeroes];
  };
  assert.equal(reads(0x00), ["not told", false]);
  assert.equal(reads(0x09), ["zeroes", true]);
  assert.equal(reads(0x02), ["ones", false]);
  assert.equal(reads(0x03), ["not told", false]);
});

test("the limits of Copy, and identifiers", () => {
  const identity = decode((controller, namespace) => {
    controller.writeUInt16LE(0x3, 534);
    controller.writeUInt16LE(0x200, 256);
    namespace.writeBigUInt64LE(1n << 40n, 0);
    namespace.writeUInt16LE(0xffff, 74);
    namespace.writeUInt32LE(0x10000, 76);
    namespace.writeUInt8(127, 80);
    namespace.fill(0xab, 104, 120);
    namespace.writeBigUInt64BE(0x0123456789abcdefn, 120);
  });
  assert.equal(identity.copyLimits, {
    rangeLbas: 65_535,
    commandLbas: 65_536,
    ranges: 128,
    hasFormat0: true,
  });
  assert.is(identity.hasLbaStatus, true);
  assert.is(identity.sizeLbas, 1n << 40n);
  assert.is(identity.nguid, "ab".repeat(16));
  assert.is(identity.eui64, "0123456789abcdef");
});

test("why a drive can't compare", () => {
  const drive = (over: Partial<NamespaceIdentity>): NamespaceIdentity => ({
    charDevice: "/dev/ng0n1",
    nsid: 1,
    ...decode((controller) => controller.writeUInt16LE(1, 520)),
    ...over,
  });
  assert.is(compareProblem("nvme0n1", drive({})), undefined);
  assert.match(compareProblem("nvme0n1", { ...drive({}), ...decode(() => {}) }) ?? "", /no Compare command/);
  assert.match(compareProblem("nvme0n1", drive({ metadataBytes: 8 })) ?? "", /8 bytes of metadata/);
  assert.match(compareProblem("nvme0n1", drive({ charDevice: undefined })) ?? "", /no character device/);
});

test("a status is told in words, whatever its flags, and always in digits", () => {
  assert.is(describeStatus(0x4285), "Compare Failure (status 0x4285)");
  assert.is(describeStatus(0x285), "Compare Failure (status 0x285)");
  assert.is(describeStatus(0x7c1), "NVMe status 0x7c1");
});

test.run();
