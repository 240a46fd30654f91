// SPDX-License-Identifier: MIT
import type { Native } from "../../ffi/index.ts";
import { type P2pdmaError, refused, usageError } from "../errors.ts";
import type { SystemView } from "../sysfs.ts";
import { resolveDeviceName } from "./device-name.ts";
import type { BlockDevice } from "./disk.ts";
import type { Endpoint } from "./endpoint.ts";
import { blockNumberOf, describeUse, findUses } from "./in-use.ts";
import { listMounts } from "./mounts.ts";
import { type Inspection, inspectDestination, type Obstacle, type OverwriteKind } from "./obstacles.ts";
import type { CopyRange } from "./range.ts";

export { OVERWRITE_KINDS, type OverwriteKind } from "./obstacles.ts";

/** Which block devices may be written: all, or those named: by path, `serial:…` or `wwid:…`. */
export type WritePermission = "all" | readonly string[];

/** True when the permission covers this destination; regular files need none. */
export function mayWrite(sys: SystemView, endpoint: Endpoint, permission: WritePermission): boolean {
  if (endpoint.kind === "file" || permission === "all") return true;
  const numbers = permission.map((name) => blockNumberOf(resolveDeviceName(sys, name)));
  return numbers.includes(endpoint.device?.number);
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
 * Refuses a destination that is in use, that holds something, or of which neither can be told, unless the
 * user named each of these kinds. Looks only: nothing is opened for writing.
 * @throws P2pdmaError IN_USE or NOT_EMPTY with all that was found and what would allow it
 */
export function checkDestination(
  env: { readonly sys: SystemView; readonly native: Native },
  dst: Endpoint,
  overwrite: readonly OverwriteKind[],
): Inspection {
  if (dst.kind === "block" && dst.device?.isReadOnly) {
    throw refused("IN_USE", `${cannotOverwrite(dst)}: the device is set read-only`, {
      hint: `if it may be written: blockdev --setrw ${dst.path}`,
    });
  }
  const inspection = inspectDestination(env.sys, env.native, dst);
  const inTheWay = inspection.obstacles.filter(({ kind }) => !overwrite.includes(kind));
  if (inTheWay.length > 0) throw obstructed(dst, inTheWay, inspection.obstacles);
  return inspection;
}

/**
 * Whether the destination must be claimed (O_EXCL): always, but for a user who said to overwrite what
 * somebody else has claimed.
 */
export function needsExclusive(overwrite: readonly OverwriteKind[]): boolean {
  return !overwrite.some((kind) => kind === "mounted" || kind === "swap" || kind === "held");
}

function obstructed(dst: Endpoint, inTheWay: readonly Obstacle[], all: readonly Obstacle[]): P2pdmaError {
  const isInUse = inTheWay.some(({ remedy }) => remedy !== null);
  const found = [...new Set(inTheWay.map((obstacle) => obstacle.found))].join("; ");
  const remedies = inTheWay.flatMap(({ remedy }) => remedy ?? []);
  const option = `--overwrite=${all.map(({ kind }) => kind).join(",")}`;
  const hint = isInUse
    ? `release it first (${remedies.join("; ")}), or destroy it as it is with ${option}`
    : `if nothing on it is needed, add ${option}`;
  return refused(isInUse ? "IN_USE" : "NOT_EMPTY", `${cannotOverwrite(dst)}: ${found}`, { hint });
}

function cannotOverwrite(dst: Endpoint): string {
  return `Cannot overwrite "${dst.path}" (${describeDevice(dst)})`;
}

/** Says so when a source may change while it is copied. */
export function warnAboutSource(sys: SystemView, src: Endpoint): string | undefined {
  if (src.kind !== "block" || !src.device) return undefined;
  const readOnly = new Set(
    listMounts(sys).flatMap(({ isReadOnly, mountPoint }) => (isReadOnly ? mountPoint : [])),
  );
  const uses = findUses(sys, src.device.name, src.device.disk);
  const use = uses.find(({ kind, by }) => kind !== "mounted" || !readOnly.has(by));
  if (!use) return undefined;
  const advice =
    use.kind === "mounted"
      ? `unmount it, or freeze it meanwhile: fsfreeze --freeze ${use.by}`
      : "stop what writes to it meanwhile";
  return `the copy of "${src.path}" may be inconsistent: ${describeUse(use)}; ${advice}`;
}

/**
 * Refuses to copy a range onto itself, through partitions, whole disks and several paths to a namespace
 * alike, and a file onto the device that it lives on.
 * @throws P2pdmaError USAGE, or IN_USE for the file
 */
export function checkOverlap(src: Endpoint, dst: Endpoint, range: CopyRange): void {
  if (range.lengthBytes === 0n) return;
  checkFileOnDevice(src, dst, range);
  const base = commonBase(src, dst);
  if (!base) return;
  const from = base.src + range.srcOffset;
  const to = base.dst + range.dstOffset;
  if (from < to + range.lengthBytes && to < from + range.lengthBytes) {
    throw usageError(
      `Cannot copy "${src.path}" to "${dst.path}": the two ranges overlap on the same ${base.what}`,
    );
  }
}

/** No override: such a copy would read what it has just destroyed. */
function checkFileOnDevice(src: Endpoint, dst: Endpoint, range: CopyRange): void {
  const shared = src.kind === "file" && dst.kind === "block" ? onOneDisk(src, dst) : undefined;
  if (!shared) return;
  const { startBytes, sizeBytes, name } = shared.src;
  const from = shared.dst.startBytes + range.dstOffset;
  if (from >= startBytes + sizeBytes || startBytes >= from + range.lengthBytes) return;
  throw refused(
    "IN_USE",
    `${cannotOverwrite(dst)}: the source "${src.path}" is a file on it, in the ${src.fileSystem} file system mounted from ${name}`,
    { hint: "copy the file to another drive first" },
  );
}

function commonBase(src: Endpoint, dst: Endpoint): { what: string; src: bigint; dst: bigint } | undefined {
  if (src.kind === "file" && dst.kind === "file") {
    return src.inode && src.inode === dst.inode ? { what: "file", src: 0n, dst: 0n } : undefined;
  }
  const shared = src.kind === "block" && dst.kind === "block" ? onOneDisk(src, dst) : undefined;
  return shared && { what: "disk", src: shared.src.startBytes, dst: shared.dst.startBytes };
}

/** The devices of both ends if they lie on one disk, be it under two names. */
function onOneDisk(src: Endpoint, dst: Endpoint): { src: BlockDevice; dst: BlockDevice } | undefined {
  if (!src.device || !dst.device) return undefined;
  const wwid = src.device.identity.wwid;
  const isSame = src.device.disk === dst.device.disk || (wwid && wwid === dst.device.identity.wwid);
  return isSame ? { src: src.device, dst: dst.device } : undefined;
}
