// SPDX-License-Identifier: MIT
import {
  MissingLibraryError,
  type Native,
  type Signature,
  SyscallError,
  type TableEntry,
} from "../../ffi/index.ts";
import type { SystemView } from "../sysfs.ts";
import { formatBytes } from "../units.ts";
import type { BlockDevice } from "./disk.ts";
import { partitionsOf } from "./in-use.ts";

export interface HeldPartition {
  /** `nvme0n1p2`; null when only the table has it, not the kernel. */
  readonly name: string | null;
  readonly number: number;
  /** From a GPT. */
  readonly label: string | null;
  readonly sizeBytes: string;
  readonly signatures: readonly Signature[];
}

/** What is on a block device. */
export interface DeviceContents {
  /** Why nothing can be told; then the rest is what the kernel knows, and empty does not mean empty. */
  readonly problem: string | null;
  /** File systems, RAID and LVM members, LUKS, swap areas, partition tables. */
  readonly signatures: readonly Signature[];
  readonly partitions: readonly HeldPartition[];
}

/** Looks at a block device through libblkid and at the partitions that the kernel has of it. Reads only. */
export function readContents(
  sys: SystemView,
  native: Native,
  path: string,
  device: BlockDevice,
): DeviceContents {
  const found = probe(native, path);
  const isWholeDisk = device.name === device.disk;
  const known = isWholeDisk ? partitionsOf(sys, device.name) : [];
  const inKernel = known.map((name) => readPartition(sys, native, name, found.table));
  const numbers = new Set(inKernel.map(({ number }) => number));
  const onlyInTable = found.table
    .filter(({ number }) => !numbers.has(number))
    .map(({ number, label, sizeBytes }) => ({
      ...{ name: null, number, label: printable(label), sizeBytes: sizeBytes.toString(), signatures: [] },
    }));
  return {
    problem: found.problem,
    signatures: found.signatures,
    partitions: [...inKernel, ...onlyInTable].sort((one, other) => one.number - other.number),
  };
}

/** Everything but partition tables, in words: `ext4 file system "data" (UUID …)`. */
export function describeSignature({ type, usage, label, uuid, isDamaged }: Signature): string {
  const kind = SPOKEN[type] ?? `${type} ${SPOKEN_USAGE[usage]}`;
  const name = label ? ` "${label}"` : "";
  return `${isDamaged ? "damaged " : ""}${kind}${name}${uuid ? ` (UUID ${uuid})` : ""}`;
}

/** A partition table, or partitions without one: `gpt partition table with 2 partitions: …`. */
export function describePartitions({ signatures, partitions }: DeviceContents): string {
  const tables = signatures.filter(({ usage }) => usage === "partition-table").map(({ type }) => type);
  const count = `${partitions.length} partition${partitions.length === 1 ? "" : "s"}`;
  const listed = partitions.slice(0, MOST_LISTED).map(describePartition);
  if (partitions.length > MOST_LISTED) listed.push(`and ${partitions.length - MOST_LISTED} more`);
  const list = listed.length > 0 ? `: ${listed.join(", ")}` : "";
  return tables.length > 0
    ? `${tables.join(" and ")} partition table with ${count}${list}`
    : `${count} that the kernel still has, without a partition table${list}`;
}

const MOST_LISTED = 8;

const SPOKEN: Readonly<Record<string, string>> = {
  LVM2_member: "LVM physical volume",
  linux_raid_member: "md RAID member",
  crypto_LUKS: "LUKS encrypted volume",
  swap: "swap area",
  zfs_member: "ZFS pool member",
};

const SPOKEN_USAGE: Readonly<Record<Signature["usage"], string>> = {
  filesystem: "file system",
  raid: "RAID or volume member",
  crypto: "encrypted volume",
  other: "signature",
  "partition-table": "partition table",
};

function describePartition({ name, number, label, sizeBytes, signatures }: HeldPartition): string {
  const held = signatures.map((signature) => describeSignature({ ...signature, uuid: null }));
  const details = [formatBytes(BigInt(sizeBytes)), ...held].join(", ");
  return `${name ?? `number ${number}`}${label ? ` "${label}"` : ""} (${details})`;
}

function readPartition(
  sys: SystemView,
  native: Native,
  name: string,
  table: readonly TableEntry[],
): HeldPartition {
  const at = `/sys/class/block/${name}`;
  const number = Number(sys.integer(`${at}/partition`) ?? 0n);
  return {
    ...{ name, number },
    label: printable(table.find((entry) => entry.number === number)?.label ?? null),
    sizeBytes: ((sys.integer(`${at}/size`) ?? 0n) * 512n).toString(),
    signatures: probe(native, `/dev/${name}`).signatures,
  };
}

interface Probed {
  readonly problem: string | null;
  readonly signatures: readonly Signature[];
  readonly table: readonly TableEntry[];
}

/** Not being able to look is an answer too, and another one than "nothing there". */
function probe(native: Native, path: string): Probed {
  try {
    const { signatures, table } = native.probeSignatures(path);
    return { problem: null, signatures: signatures.map(toPrintable), table };
  } catch (error) {
    return { problem: problemOf(error), signatures: [], table: [] };
  }
}

function problemOf(error: unknown): string {
  if (error instanceof MissingLibraryError) return `${error.file} can't be loaded (it comes with util-linux)`;
  if (!(error instanceof SyscallError)) throw error;
  const isForbidden = error.code === "EACCES" || error.code === "EPERM";
  return `it can't be read: ${error.code}${isForbidden ? " (run this as root)" : ""}`;
}

function toPrintable(signature: Signature): Signature {
  return { ...signature, label: printable(signature.label) };
}

/** Labels come from the device: none of them may move the cursor of a terminal. */
function printable(label: string | null): string | null {
  return label?.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?") ?? null;
}
