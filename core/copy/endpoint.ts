// SPDX-License-Identifier: MIT
import { type BigIntStats, constants, realpathSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Native, SyscallError } from "../../ffi/index.ts";
import { P2pdmaError, usageError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import type { SystemView } from "../sysfs.ts";
import { resolveDeviceName } from "./device-name.ts";
import { type BlockDevice, deviceNumber, readBlockDevice } from "./disk.ts";
import { fileSystemOf } from "./mounts.ts";

/** One end of a copy: a block device (whole or partition) or a regular file, existing or to be made. */
export interface Endpoint {
  readonly path: string;
  readonly kind: "block" | "file";
  readonly exists: boolean;
  /** Zero for a file to be made. */
  readonly sizeBytes: bigint;
  /** What offsets, lengths and memory of direct I/O must be multiples of, in bytes. */
  readonly blockBytes: number;
  /** The block device itself, or the one below the file's file system. */
  readonly device: BlockDevice | undefined;
  /** `ext4`; undefined for a block device. */
  readonly fileSystem: string | undefined;
  /** `dev:ino` of an existing file. */
  readonly inode: string | undefined;
  /** When an existing file's content last changed, in nanoseconds. */
  readonly modifiedNs: bigint | undefined;
  readonly bornNs: bigint | undefined;
  /** Why it can't take part in a peer-to-peer copy, whatever the provider. */
  readonly peerProblem: string | undefined;
}

/** What most devices need; taken where the kernel does not tell. */
const FALLBACK_BLOCK_BYTES = 4096;

/** File systems that are known to hand O_DIRECT requests to the drive untouched. */
const DIRECT_FILE_SYSTEMS = ["ext4", "xfs"];

/** @throws P2pdmaError NOT_FOUND for a source that is not there, NOT_COPYABLE for what is no file or block device. */
export function readSource(sys: SystemView, native: Native, name: string): Endpoint {
  const path = resolveDeviceName(sys, name);
  const stat = statOf(path);
  if (!stat)
    throw new P2pdmaError("NOT_FOUND", ExitCode.failed, `Cannot open source "${path}": no such file`);
  const source = existingEndpoint(sys, native, path, stat);
  if (source.kind === "file" && VIRTUAL_FILE_SYSTEMS.includes(source.fileSystem ?? "")) {
    throw usageError(`Cannot copy "${path}": files of ${source.fileSystem} have no size`, "cat can read it");
  }
  return source;
}

const VIRTUAL_FILE_SYSTEMS = ["proc", "sysfs", "debugfs", "tracefs", "cgroup2"];

/** A path that is not there becomes a file to be made, if its directory is there. */
export function readDestination(sys: SystemView, native: Native, name: string): Endpoint {
  const path = resolveDeviceName(sys, name);
  const stat = statOf(path);
  if (stat) return existingEndpoint(sys, native, path, stat);
  const directory = statOf(dirname(path));
  if (!directory) {
    throw new P2pdmaError(
      "NOT_FOUND",
      ExitCode.failed,
      `Cannot create "${path}": its directory does not exist`,
    );
  }
  if (/^\/dev\/(?!shm\/)/.test(resolve(path))) {
    throw new P2pdmaError("NOT_FOUND", ExitCode.failed, `Cannot open destination "${path}": no such device`, {
      hint: "p2pdma list shows the NVMe namespaces of this machine",
    });
  }
  return fileEndpoint(sys, resolve(path), deviceNumber(directory.dev), undefined, undefined);
}

function existingEndpoint(sys: SystemView, native: Native, path: string, stat: BigIntStats): Endpoint {
  const real = realpathSync(path);
  if (stat.isBlockDevice()) return blockEndpoint(sys, real, deviceNumber(stat.rdev));
  if (stat.isFile()) {
    return fileEndpoint(sys, real, deviceNumber(stat.dev), stat, alignmentOf(native, real));
  }
  const controller = /^\/dev\/nvme\d+$/.test(real);
  throw usageError(
    `Cannot copy "${path}": it is ${describe(stat)}, not a block device or regular file`,
    controller ? `name a namespace of the controller, for example ${real}n1` : undefined,
  );
}

function blockEndpoint(sys: SystemView, path: string, number: string): Endpoint {
  const device = readBlockDevice(sys, number);
  if (!device)
    throw new P2pdmaError("NOT_FOUND", ExitCode.failed, `Cannot find "${path}" (${number}) in sysfs`);
  return {
    path,
    kind: "block",
    exists: true,
    sizeBytes: device.sizeBytes,
    blockBytes: device.logicalBlockBytes,
    device,
    fileSystem: undefined,
    inode: undefined,
    modifiedNs: undefined,
    bornNs: undefined,
    peerProblem: deviceProblem(path, device),
  };
}

function fileEndpoint(
  sys: SystemView,
  path: string,
  number: string,
  stat: BigIntStats | undefined,
  alignment: number | undefined,
): Endpoint {
  const device = readBlockDevice(sys, number);
  const fileSystem = fileSystemOf(sys, number);
  return {
    path,
    kind: "file",
    exists: stat !== undefined,
    sizeBytes: stat?.size ?? 0n,
    blockBytes: alignment || device?.logicalBlockBytes || FALLBACK_BLOCK_BYTES,
    device,
    fileSystem,
    inode: stat && `${stat.dev}:${stat.ino}`,
    modifiedNs: stat?.mtimeNs,
    bornNs: stat?.birthtimeNs,
    peerProblem: fileProblem(path, fileSystem, alignment) ?? deviceProblem(path, device),
  };
}

function fileProblem(
  path: string,
  fileSystem: string | undefined,
  alignment: number | undefined,
): string | undefined {
  if (!DIRECT_FILE_SYSTEMS.includes(fileSystem ?? "")) {
    return `"${path}" is on ${fileSystem ?? "an unknown file system"}, not known to pass O_DIRECT through to a drive`;
  }
  return alignment === 0
    ? `"${path}" can't be opened for direct I/O (journalled data, encryption or inline data)`
    : undefined;
}

function deviceProblem(path: string, device: BlockDevice | undefined): string | undefined {
  if (!device) return `"${path}" is not on a block device`;
  if (device.slaves.length > 0) return `"${device.name}" is stacked on ${device.slaves.join(", ")}`;
  return device.client ? undefined : `"${device.name}" is no PCI device`;
}

/** Opening for reading only, so that asking changes nothing. */
function alignmentOf(native: Native, path: string): number | undefined {
  const file = openReadable(native, path);
  try {
    return native.directAlignment(file);
  } finally {
    native.close(file);
  }
}

function openReadable(native: Native, path: string) {
  try {
    return native.open(path, constants.O_RDONLY);
  } catch (cause) {
    if (!(cause instanceof SyscallError)) throw cause;
    throw new P2pdmaError("NOT_FOUND", ExitCode.failed, `Cannot open "${path}": ${cause.code}`, { cause });
  }
}

function statOf(path: string): BigIntStats | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false });
}

function describe(stat: BigIntStats): string {
  if (stat.isDirectory()) return "a directory";
  if (stat.isCharacterDevice()) return "a character device";
  return stat.isFIFO() ? "a pipe" : "something else";
}
