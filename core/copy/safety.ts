// SPDX-License-Identifier: MIT
import { type P2pdmaError, refused, usageError } from "../errors.ts";
import type { SystemView } from "../sysfs.ts";
import type { Endpoint } from "./endpoint.ts";
import { blockNumberOf, describeUse, findUses } from "./in-use.ts";
import type { CopyRange } from "./range.ts";

/** Which block devices may be written: all, or those named by path. */
export type WritePermission = "all" | readonly string[];

/** True when the permission covers this destination; regular files need none. */
export function mayWrite(endpoint: Endpoint, permission: WritePermission): boolean {
  if (endpoint.kind === "file" || permission === "all") return true;
  return permission.some((path) => blockNumberOf(path) === endpoint.device?.number);
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
  const [use] = findUses(sys, endpoint.device.name, endpoint.device.disk);
  if (use) throw refused("IN_USE", `Cannot overwrite "${endpoint.path}": ${describeUse(use)}`);
  if (endpoint.device.isReadOnly) {
    throw refused("IN_USE", `Cannot overwrite "${endpoint.path}": the device is set read-only`);
  }
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
