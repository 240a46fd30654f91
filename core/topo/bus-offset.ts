// SPDX-License-Identifier: MIT
import type { Bdf } from "../pci/bdf.ts";
import type { PciTree } from "../pci/tree.ts";
import type { SystemView } from "../sysfs.ts";

const HEADER_BYTES = 64;
const HEADER_TYPE = 0x0e;
const FIRST_BAR = 0x10;
const BARS = 6;
const BAR_IO = 0x1;
const BAR_64_BIT = 0x4;
const UNREADABLE = 0xffffffff;

/**
 * Host bridges behind which bus addresses are not CPU addresses, with what to
 * add to a bus address to get the CPU's. The kernel hands peers bus addresses,
 * so whoever compares addresses in a trace needs to know.
 */
export function readBusOffsets(view: SystemView, tree: PciTree): Map<string, bigint> {
  const offsets = new Map<string, bigint>();
  for (const { bdf, hostBridge, resources } of tree.functions.values()) {
    if (offsets.has(hostBridge) || resources.length === 0) continue;
    const bars = readBars(view, bdf);
    const moved = resources.find(({ index, start }) => (bars.get(index) ?? start) !== start);
    if (moved) offsets.set(hostBridge, moved.start - (bars.get(moved.index) ?? moved.start));
  }
  return offsets;
}

/** Memory BARs of an ordinary function, by index; those that hold no address are left out. */
function readBars(view: SystemView, bdf: Bdf): Map<number, bigint> {
  const space = Buffer.from(view.bytes(`/sys/bus/pci/devices/${bdf}/config`) ?? []);
  const bars = new Map<number, bigint>();
  if (space.length < HEADER_BYTES || (space.readUInt8(HEADER_TYPE) & 0x7f) !== 0) return bars;
  for (let index = 0; index < BARS; index++) {
    const low = space.readUInt32LE(FIRST_BAR + 4 * index);
    const is64Bit = (low & BAR_IO) === 0 && (low & 0x6) === BAR_64_BIT && index + 1 < BARS;
    const high = is64Bit ? space.readUInt32LE(FIRST_BAR + 4 * (index + 1)) : 0;
    const address = (BigInt(high) << 32n) | BigInt((low & ~0xf) >>> 0);
    if ((low & BAR_IO) === 0 && address !== 0n && low !== UNREADABLE) bars.set(index, address);
    if (is64Bit) index++;
  }
  return bars;
}
