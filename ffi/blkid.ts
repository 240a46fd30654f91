// SPDX-License-Identifier: MIT
import { constants } from "node:fs";
import { SyscallError } from "./errors.ts";
import { close, type OpenFile, open } from "./files.ts";
import { bufferAddress, lastErrno, libcCall, systemLibrary } from "./load.ts";

/** Something on a device that libblkid recognises. */
export interface Signature {
  /** Its name for it: `ext4`, `LVM2_member`, `linux_raid_member`, `crypto_LUKS`, `swap`, `gpt`. */
  readonly type: string;
  readonly usage: "filesystem" | "raid" | "crypto" | "other" | "partition-table";
  readonly label: string | null;
  readonly uuid: string | null;
  /** Its checksum is wrong: perhaps a file system that is worth repairing. */
  readonly isDamaged: boolean;
}

/** A partition as the table on the device has it, whether the kernel knows it or not. */
export interface TableEntry {
  readonly number: number;
  /** GPT only. */
  readonly label: string | null;
  readonly sizeBytes: bigint;
}

export interface DeviceSignatures {
  readonly signatures: readonly Signature[];
  readonly table: readonly TableEntry[];
}

/** blkid(3): low-level probing. It comes with util-linux, which every distribution has. */
const blkid = systemLibrary("libblkid.so.1", {
  blkid_new_probe: ["size_t", []],
  blkid_probe_set_device: ["int", ["size_t", "int", "int64", "int64"]],
  blkid_probe_enable_superblocks: ["int", ["size_t", "int"]],
  blkid_probe_set_superblocks_flags: ["int", ["size_t", "int"]],
  blkid_probe_enable_partitions: ["int", ["size_t", "int"]],
  blkid_probe_set_partitions_flags: ["int", ["size_t", "int"]],
  blkid_do_probe: ["int", ["size_t"]],
  blkid_probe_lookup_value: ["int", ["size_t", "string", "size_t", "size_t"]],
  blkid_probe_get_partitions: ["size_t", ["size_t"]],
  blkid_partlist_numof_partitions: ["int", ["size_t"]],
  blkid_partlist_get_partition: ["size_t", ["size_t", "int"]],
  blkid_partition_get_partno: ["int", ["size_t"]],
  blkid_partition_get_name: ["string", ["size_t"]],
  blkid_partition_get_size: ["int64", ["size_t"]],
  blkid_partition_is_extended: ["int", ["size_t"]],
  blkid_free_probe: ["void", ["size_t"]],
});

const LABEL = 1 << 1;
const UUID = 1 << 3;
const TYPE = 1 << 5;
const USAGE = 1 << 7;
const BAD_CHECKSUM = 1 << 10;
/** Finds a GPT whose protective MBR is gone. */
const FORCE_GPT = 1 << 1;
const SECTOR_BYTES = 512n;
const EIO = 5;

/**
 * All that libblkid recognises on a device or image, and its partition table. Reads only.
 * Every signature counts, also where several contradict each other.
 * @throws SyscallError when it can't be opened or read, MissingLibraryError without libblkid.
 */
export function probeSignatures(path: string): DeviceSignatures {
  const file = open(path, constants.O_RDONLY);
  try {
    const probe = Number(blkid("blkid_new_probe"));
    if (probe === 0) throw failure("blkid_new_probe", -1, path);
    try {
      prepare(probe, file);
      return { signatures: [...listSignatures(probe, path)], table: listTable(probe) };
    } finally {
      blkid("blkid_free_probe", probe);
    }
  } finally {
    close(file);
  }
}

function prepare(probe: number, { fd, path }: OpenFile): void {
  check("blkid_probe_set_device", blkid("blkid_probe_set_device", probe, fd, 0, 0), path);
  blkid("blkid_probe_enable_superblocks", probe, 1);
  blkid("blkid_probe_set_superblocks_flags", probe, LABEL | UUID | TYPE | USAGE | BAD_CHECKSUM);
  blkid("blkid_probe_enable_partitions", probe, 1);
  blkid("blkid_probe_set_partitions_flags", probe, FORCE_GPT);
}

/** One after the other, as wipefs(8) goes about it: 0 is a find, 1 the end. */
function* listSignatures(probe: number, path: string): Generator<Signature> {
  while (check("blkid_do_probe", blkid("blkid_do_probe", probe), path) === 0) {
    const type = lookUp(probe, "TYPE");
    const label = lookUp(probe, "LABEL");
    const isDamaged = lookUp(probe, "SBBADCSUM") !== null;
    if (type !== null) yield { type, usage: usageOf(probe), label, uuid: lookUp(probe, "UUID"), isDamaged };
    const table = lookUp(probe, "PTTYPE");
    if (table === null) continue;
    yield { type: table, usage: "partition-table", label: null, uuid: lookUp(probe, "PTUUID"), isDamaged };
  }
}

function usageOf(probe: number): Signature["usage"] {
  const usage = lookUp(probe, "USAGE");
  return usage === "filesystem" || usage === "raid" || usage === "crypto" ? usage : "other";
}

/** Extended partitions are left out: they only hold others. */
function listTable(probe: number): TableEntry[] {
  const list = Number(blkid("blkid_probe_get_partitions", probe));
  if (list === 0) return [];
  const count = Number(blkid("blkid_partlist_numof_partitions", list));
  const entries = Array.from({ length: count }, (_, index) =>
    Number(blkid("blkid_partlist_get_partition", list, index)),
  );
  return entries
    .filter((entry) => Number(blkid("blkid_partition_is_extended", entry)) === 0)
    .map((entry) => ({
      number: Number(blkid("blkid_partition_get_partno", entry)),
      label: nonEmpty(blkid("blkid_partition_get_name", entry)),
      sizeBytes: BigInt(blkid("blkid_partition_get_size", entry) ?? 0) * SECTOR_BYTES,
    }));
}

/** A value of the last find; its bytes belong to the probe and are copied. */
function lookUp(probe: number, name: string): string | null {
  const answer = Buffer.alloc(16);
  const at = bufferAddress(answer);
  if (Number(blkid("blkid_probe_lookup_value", probe, name, at, at + 8)) !== 0) return null;
  const text = Buffer.alloc(Number(answer.readBigUInt64LE(8)));
  libcCall("memcpy", name, text, Number(answer.readBigUInt64LE(0)), text.length);
  return nonEmpty(text.toString("utf8").replace(/\0.*$/s, ""));
}

function nonEmpty(text: number | string | null): string | null {
  return typeof text === "string" && text.trim() ? text.trim() : null;
}

function check(call: string, answer: number | string | null, path: string): number {
  const result = Number(answer);
  if (result < 0) throw failure(call, result, path);
  return result;
}

/** Some failures carry an errno, some leave it behind, some do neither. */
function failure(call: string, result: number, path: string): SyscallError {
  return new SyscallError(call, (result < -1 ? -result : lastErrno()) || EIO, path);
}
