// SPDX-License-Identifier: MIT
// Disk contents made by hand, so that no partitioning or LVM tools are needed.
import { crc32 } from "./crc32.ts";

const SECTOR = 512;
const ENTRY_BYTES = 128;
const ENTRIES = 128;
const LINUX_DATA = "af3dc60f838472478e793d69d8477de4";

export interface PartitionPlan {
  readonly label?: string;
  readonly startSector: number;
  readonly sectors: number;
}

/** A DOS partition table: the first sector. */
export function dosTable(partitions: readonly PartitionPlan[]): Buffer {
  const sector = Buffer.alloc(SECTOR);
  for (const [index, { startSector, sectors }] of partitions.entries()) {
    const at = 446 + index * 16;
    sector[at + 4] = 0x83;
    sector.writeUInt32LE(startSector, at + 8);
    sector.writeUInt32LE(sectors, at + 12);
  }
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

/** A GPT without its backup: the first 34 sectors, protective MBR included. */
export function gptTable(diskSectors: number, partitions: readonly PartitionPlan[]): Buffer {
  const table = Buffer.alloc(34 * SECTOR);
  dosTable([{ startSector: 1, sectors: diskSectors - 1 }]).copy(table);
  table[450] = 0xee;
  const entries = table.subarray(2 * SECTOR);
  for (const [index, { label = "", startSector, sectors }] of partitions.entries()) {
    const entry = entries.subarray(index * ENTRY_BYTES, (index + 1) * ENTRY_BYTES);
    entry.write(LINUX_DATA, 0, "hex");
    entry.fill(index + 1, 16, 32);
    entry.writeBigUInt64LE(BigInt(startSector), 32);
    entry.writeBigUInt64LE(BigInt(startSector + sectors - 1), 40);
    entry.write(label, 56, "utf16le");
  }
  gptHeader(diskSectors, crc32(entries)).copy(table, SECTOR);
  return table;
}

function gptHeader(diskSectors: number, entriesCrc: number): Buffer {
  const header = Buffer.alloc(92);
  header.write("EFI PART", "latin1");
  header.writeUInt32LE(0x10000, 8);
  header.writeUInt32LE(header.length, 12);
  header.writeBigUInt64LE(1n, 24);
  header.writeBigUInt64LE(BigInt(diskSectors - 1), 32);
  header.writeBigUInt64LE(34n, 40);
  header.writeBigUInt64LE(BigInt(diskSectors - 34), 48);
  header.fill(0xd1, 56, 72);
  header.writeBigUInt64LE(2n, 72);
  header.writeUInt32LE(ENTRIES, 80);
  header.writeUInt32LE(ENTRY_BYTES, 84);
  header.writeUInt32LE(entriesCrc, 88);
  header.writeUInt32LE(crc32(header), 16);
  return header;
}

/** A swap area of this many 4 KiB pages: the first page. */
export function swapArea(pages: number, label: string): Buffer {
  const page = Buffer.alloc(4096);
  page.writeUInt32LE(1, 1024);
  page.writeUInt32LE(pages - 1, 1028);
  page.fill(0x5a, 1036, 1052);
  page.write(label, 1052, "latin1");
  page.write("SWAPSPACE2", 4086, "latin1");
  return page;
}

/** The label of an LVM physical volume, with a checksum that is wrong: bytes 512 to 1023 of the device. */
export function damagedLvmLabel(): Buffer {
  const sector = Buffer.alloc(SECTOR);
  sector.write("LABELONE", "latin1");
  sector.writeBigUInt64LE(1n, 8);
  sector.writeUInt32LE(0xdeadbeef, 16);
  sector.writeUInt32LE(32, 20);
  sector.write("LVM2 001abcdefghijklmnopqrstuvwxyz012345", 24, "latin1");
  return sector;
}
