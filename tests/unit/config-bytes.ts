// SPDX-License-Identifier: MIT
import type { PortType } from "../../core/pci/config-space.ts";

export interface ConfigDescription {
  /** `8086:2030` */
  readonly ids: string;
  readonly classCode: number;
  readonly type: PortType;
  readonly acs?: { readonly capability: number; readonly control: number };
  /** How much of it can be read. */
  readonly length?: number;
}

const TYPE_NUMBERS: Readonly<Record<PortType, number>> = {
  endpoint: 0x0,
  "legacy-endpoint": 0x1,
  "root-port": 0x4,
  "upstream-port": 0x5,
  "downstream-port": 0x6,
  "pcie-to-pci-bridge": 0x7,
  "pci-to-pcie-bridge": 0x8,
  "root-complex-endpoint": 0x9,
  "root-complex-event-collector": 0xa,
  conventional: -1,
};

/** Serial number in every function's Device Serial Number capability, to be found again if it leaks. */
export const DEVICE_SERIAL = Buffer.from("0025385a91b0c7d1", "hex");

/**
 * Config space as a function of that kind has it: power management, MSI and PCI
 * Express capabilities, then error reporting, serial number and ACS.
 */
export function configBytes({ ids, classCode, type, acs, length = 4096 }: ConfigDescription): Buffer {
  const space = Buffer.alloc(4096);
  const [vendor = 0, device = 0] = ids.split(":").map((id) => Number.parseInt(id, 16));
  space.writeUInt16LE(vendor, 0x00);
  space.writeUInt16LE(device, 0x02);
  space.writeUInt16LE(0x0406, 0x04);
  space.writeUIntLE(classCode, 0x09, 3);
  space.writeUInt8(classCode >> 8 === 0x0604 ? 1 : 0, 0x0e);
  if (type === "conventional") return space.subarray(0, Math.min(length, 256));
  space.writeUInt16LE(0x0010, 0x06);
  space.writeUInt8(0x40, 0x34);
  space.set([0x01, 0x50, 0x03, 0xc8], 0x40);
  space.set([0x05, 0x70, 0x80, 0x00], 0x50);
  space.set([0x10, 0x00], 0x70);
  space.writeUInt16LE(0x0002 | (TYPE_NUMBERS[type] << 4), 0x72);
  writeExtended(space, 0x100, 0x0001, 2, 0x148);
  writeExtended(space, 0x148, 0x0003, 1, acs ? 0x160 : 0);
  DEVICE_SERIAL.copy(space, 0x14c);
  if (acs) {
    writeExtended(space, 0x160, 0x000d, 1, 0);
    space.writeUInt16LE(acs.capability, 0x164);
    space.writeUInt16LE(acs.control, 0x166);
  }
  return space.subarray(0, length);
}

function writeExtended(space: Buffer, at: number, id: number, version: number, next: number): void {
  space.writeUInt32LE((id | (version << 16) | (next << 20)) >>> 0, at);
}
