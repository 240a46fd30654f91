// SPDX-License-Identifier: MIT
import { statSync } from "node:fs";
import { type P2pdmaError, refused, usageError } from "../errors.ts";
import type { SystemView } from "../sysfs.ts";
import { type BlockDevice, deviceNumber } from "./disk.ts";
import type { Endpoint } from "./endpoint.ts";
import { listMounts, listSwaps } from "./mounts.ts";
import type { CopyRange } from "./range.ts";

/** Which block devices may be written: all, or those named by path. */
export type WritePermission = "all" | readonly string[];

/** True when the permission covers this destination; regular files need none. */
export function mayWrite(endpoint: Endpoint, permission: WritePermission): boolean {
  if (endpoint.kind === "file" || permission === "all") return true;
  return permission.some((path) => numberOf(path) === endpoint.device?.number);
}

/** @throws P2pdmaError NO_PERMISSION */
export function noPermission(endpoint: Endpoint): P2pdmaError {
  return refused(
    "NO_PERMISSION",
    `Cannot write to "${endpoint.path}" (${describeDevice(endpoint)}): not permitted`,
    {
      hint: `to overwrite it, add --allow-write=${endpoint.path}`,
    },
  );
}

/** Model, serial and the like, for prompts and errors. */
export function describeDevice(endpoint: Endpoint): string {
  const { model, serial } = endpoint.device?.identity ?? {};
  return [model, serial && `serial ${serial}`].filter((part) => part).join(", ") || endpoint.kind;
}

/**
 * Refuses a destination that something else is using.
 * @throws P2pdmaError IN_USE naming what holds it.
 */
export function checkUnused(sys: SystemView, endpoint: Endpoint): void {
  if (endpoint.kind !== "block" || !endpoint.device) return;
  const reason = inUse(sys, endpoint.device);
  if (reason) throw refused("IN_USE", `Cannot overwrite "${endpoint.path}": ${reason}`);
  if (endpoint.device.isReadOnly) {
    throw refused("IN_USE", `Cannot overwrite "${endpoint.path}": the device is set read-only`);
  }
}

function inUse(sys: SystemView, device: BlockDevice): string | undefined {
  const parts = overlappingParts(sys, device);
  const mount = listMounts(sys).find((candidate) => parts.has(candidate.deviceNumber));
  if (mount) return `${parts.get(mount.deviceNumber)} is mounted on ${mount.mountPoint}`;
  const swap = listSwaps(sys).find((path) => parts.has(numberOf(path) ?? ""));
  if (swap) return `${swap} is in use as swap`;
  for (const name of parts.values()) {
    const [holder] = sys.list(`/sys/class/block/${name}/holders`);
    if (holder) return `${name} is held by ${sys.text(`/sys/class/block/${holder}/dm/name`) ?? holder}`;
  }
  return undefined;
}

/** The device itself, the disk it is part of, and for a disk all its partitions: number to name. */
function overlappingParts(sys: SystemView, device: BlockDevice): Map<string, string> {
  const names =
    device.name === device.disk
      ? [device.name, ...partitionsOf(sys, device.disk)]
      : [device.name, device.disk];
  return new Map(names.map((name) => [sys.text(`/sys/class/block/${name}/dev`) ?? "", name]));
}

function partitionsOf(sys: SystemView, disk: string): string[] {
  const at = `/sys/class/block/${disk}`;
  return sys.list(at).filter((entry) => sys.exists(`${at}/${entry}/partition`));
}

/**
 * Refuses to copy a range onto itself, through partitions and whole disks alike.
 * @throws P2pdmaError USAGE
 */
export function checkOverlap(src: Endpoint, dst: Endpoint, range: CopyRange): void {
  const base = commonBase(src, dst);
  if (!base || range.lengthBytes === 0n) return;
  const from = base.src + range.srcOffset;
  const to = base.dst + range.dstOffset;
  if (from < to + range.lengthBytes && to < from + range.lengthBytes) {
    throw usageError(
      `Cannot copy "${src.path}" to "${dst.path}": the two ranges overlap on the same ${base.what}`,
    );
  }
}

function commonBase(src: Endpoint, dst: Endpoint): { what: string; src: bigint; dst: bigint } | undefined {
  if (src.kind === "file" && dst.kind === "file") {
    return src.inode && src.inode === dst.inode ? { what: "file", src: 0n, dst: 0n } : undefined;
  }
  if (src.kind !== "block" || dst.kind !== "block" || !src.device || !dst.device) return undefined;
  if (src.device.disk !== dst.device.disk) return undefined;
  return { what: "disk", src: src.device.startBytes, dst: dst.device.startBytes };
}

function numberOf(path: string): string | undefined {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat?.isBlockDevice() ? deviceNumber(stat.rdev) : undefined;
}
