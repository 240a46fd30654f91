// SPDX-License-Identifier: MIT
import { constants } from "node:fs";
import { type Native, SyscallError } from "../../ffi/index.ts";
import type { SystemView } from "../sysfs.ts";
import { findBackings } from "./backings.ts";
import { type DeviceContents, describePartitions, describeSignature, readContents } from "./contents.ts";
import type { BlockDevice } from "./disk.ts";
import type { Endpoint } from "./endpoint.ts";
import { type BlockUse, describeUse, findUses, partsOf } from "./in-use.ts";

/** What a destination may be or hold only when the user says so, each by its name. */
export const OVERWRITE_KINDS = ["mounted", "swap", "held", "partitions", "filesystem"] as const;
export type OverwriteKind = (typeof OVERWRITE_KINDS)[number];

/** Something that speaks against writing there. */
export interface Obstacle {
  readonly kind: OverwriteKind;
  /** A sentence's worth: `nvme0n1p1 is mounted on /mnt`. */
  readonly found: string;
  /** What makes it go away, or null where only the user can tell. */
  readonly remedy: string | null;
}

export interface Inspection {
  readonly uses: readonly BlockUse[];
  /** null for a file. */
  readonly contents: DeviceContents | null;
  readonly obstacles: readonly Obstacle[];
}

/** Looks for all that speaks against writing to a destination; nothing is opened for writing. */
export function inspectDestination(sys: SystemView, native: Native, endpoint: Endpoint): Inspection {
  const { kind, device, path } = endpoint;
  if (kind === "file" || !device) {
    const uses = fileUses(sys, endpoint);
    return { uses, contents: null, obstacles: useObstacles(uses) };
  }
  const uses = deviceUses(sys, native, path, device);
  const contents = readContents(sys, native, path, device);
  return { uses, contents, obstacles: [...useObstacles(uses, device.disk), ...contentObstacles(contents)] };
}

function fileUses(sys: SystemView, { inode, path }: Endpoint): BlockUse[] {
  return inode ? findBackings(sys, new Map([[inode, path]])) : [];
}

function deviceUses(sys: SystemView, native: Native, path: string, { name, disk }: BlockDevice): BlockUse[] {
  const uses = [...findUses(sys, name, disk), ...findBackings(sys, partsOf(sys, name, disk))];
  return uses.length === 0 && isClaimed(native, path) ? [{ part: name, kind: "held", by: UNSEEN }] : uses;
}

const UNSEEN =
  "something out of sight: a program, a container or another mount namespace has it open exclusively";

/** The kernel lets one user at a time claim a device, whether this process can see that user or not. */
function isClaimed(native: Native, path: string): boolean {
  try {
    native.close(native.open(path, constants.O_RDONLY | constants.O_EXCL));
    return false;
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return error.code === "EBUSY";
  }
}

/** One obstacle a kind, however many users. */
function useObstacles(uses: readonly BlockUse[], disk?: string): Obstacle[] {
  return (["mounted", "swap", "held"] as const).flatMap((kind): Obstacle[] => {
    const same = uses.filter((use) => use.kind === kind);
    if (same.length === 0) return [];
    const listed = same.slice(0, MOST_LISTED).map((use) => describeUse(use) + otherPath(use, disk));
    if (same.length > MOST_LISTED) listed.push(`and ${same.length - MOST_LISTED} more`);
    const remedies = same.map(remedyOf);
    const remedy = [...new Set(remedies)].slice(0, MOST_LISTED).join("; ");
    return [{ kind, found: listed.join(", "), remedy }];
  });
}

const MOST_LISTED = 4;

function remedyOf({ kind, by, part }: BlockUse): string {
  if (kind === "mounted") return `umount ${by}`;
  if (kind === "swap") return `swapoff ${by}`;
  if (by === UNSEEN) return `find who has it open: fuser -v /dev/${part}; grep ${part} /proc/*/mountinfo`;
  return /^loop\d+$/.test(by) ? `losetup --detach /dev/${by}` : `stop ${by}`;
}

/** A use of the same namespace under another device name needs saying. */
function otherPath({ part }: BlockUse, disk: string | undefined): string {
  const isOwn = disk === undefined || part === disk || part.replace(/p\d+$/, "") === disk;
  return isOwn ? "" : " (another path to the same namespace)";
}

function contentObstacles(contents: DeviceContents): Obstacle[] {
  const { problem, partitions } = contents;
  const [tables, others] = split(contents.signatures, ({ usage }) => usage === "partition-table");
  const obstacles: Obstacle[] = [];
  if (tables.length > 0 || partitions.length > 0) {
    obstacles.push({
      kind: "partitions",
      found: `found on it: ${describePartitions(contents)}`,
      remedy: null,
    });
  }
  if (others.length > 0) {
    const found = `found on it: ${others.map(describeSignature).join(" and ")}`;
    obstacles.push({ kind: "filesystem", found, remedy: null });
  }
  return problem === null ? obstacles : [...obstacles, ...unknownObstacles(problem)];
}

/** What can't be looked at may hold anything. */
function unknownObstacles(problem: string): Obstacle[] {
  const found = `what is on it can't be told, since ${problem}`;
  return (["partitions", "filesystem"] as const).map((kind) => ({ kind, found, remedy: null }));
}

function split<T>(all: readonly T[], belongs: (one: T) => boolean): [T[], T[]] {
  return [all.filter(belongs), all.filter((one) => !belongs(one))];
}
