// SPDX-License-Identifier: MIT
import { statSync } from "node:fs";
import { basename } from "node:path";
import type { SystemView } from "../sysfs.ts";
import { deviceNumber } from "./disk.ts";
import { listMounts, listSwaps, type Mount } from "./mounts.ts";

/** Something that uses a block device, a part of it, or a file. */
export interface BlockUse {
  /** Kernel name of the part, `nvme0n1p2`, or path of the file. */
  readonly part: string;
  readonly kind: "mounted" | "swap" | "held";
  /** Mount point, or name of the holder. */
  readonly by: string;
}

/**
 * Who uses a device: for a whole disk its partitions count too, for a partition the whole disk does.
 * @param name kernel name: `nvme0n1`
 * @param disk the whole disk it belongs to
 */
export function findUses(sys: SystemView, name: string, disk: string): BlockUse[] {
  const numbers = partsOf(sys, name, disk);
  const usesOf = (kind: BlockUse["kind"], users: { number: string | undefined; by: string }[]) =>
    users.flatMap(({ number, by }): BlockUse[] => {
      const part = number && numbers.get(number);
      return part ? [{ part, kind, by }] : [];
    });
  const mounted = listMounts(sys).map((mount) => ({
    number: mountedNumber(sys, mount),
    by: mount.mountPoint,
  }));
  const swaps = listSwaps(sys).map((path) => ({ number: numberOf(sys, basename(path)), by: path }));
  const held = [...numbers.values()].flatMap((part) =>
    holdersOf(sys, part).map((by): BlockUse => ({ part, kind: "held", by })),
  );
  return [...usesOf("mounted", mounted), ...usesOf("swap", swaps), ...held];
}

/**
 * Kernel names, by device number, of all that shares blocks with a device: its partitions or its whole disk,
 * and the same of other paths to the namespace where the kernel does not merge them.
 */
export function partsOf(sys: SystemView, name: string, disk: string): ReadonlyMap<string, string> {
  const disks = [disk, ...otherPaths(sys, disk)];
  const parts = disks.flatMap((path) =>
    name === disk ? [path, ...partitionsOf(sys, path)] : [path + name.slice(disk.length), path],
  );
  return new Map(
    parts.flatMap((part): [string, string][] => {
      const number = numberOf(sys, part);
      return number ? [[number, part]] : [];
    }),
  );
}

/** One use in words. */
export function describeUse({ part, kind, by }: BlockUse): string {
  if (kind === "mounted") return `${part} is mounted on ${by}`;
  return kind === "swap" ? `${by} is in use as swap` : `${part} is held by ${by}`;
}

/** `major:minor` of a block device node; undefined for anything else. */
export function blockNumberOf(path: string): string | undefined {
  const key = fileKey(path);
  return key?.isBlockDevice ? key.key : undefined;
}

/** What tells that two paths are one: `major:minor` of a block device, `dev:ino` of anything else. */
export function fileKey(path: string): { key: string; isBlockDevice: boolean } | undefined {
  try {
    const stat = statSync(path, { bigint: true });
    const isBlockDevice = stat.isBlockDevice();
    return { key: isBlockDevice ? deviceNumber(stat.rdev) : `${stat.dev}:${stat.ino}`, isBlockDevice };
  } catch {
    return undefined;
  }
}

/** Kernel names of a disk's partitions. */
export function partitionsOf(sys: SystemView, disk: string): string[] {
  const at = `/sys/class/block/${disk}`;
  return sys.list(at).filter((entry) => sys.exists(`${at}/${entry}/partition`));
}

/** Other block devices that are the same namespace: a second port, without native multipath. */
function otherPaths(sys: SystemView, disk: string): string[] {
  const wwid = wwidOf(sys, disk);
  if (!wwid) return [];
  const disks = sys.list("/sys/class/block").filter((name) => /^nvme\d+n\d+$/.test(name));
  return disks.filter((name) => name !== disk && wwidOf(sys, name) === wwid);
}

function wwidOf(sys: SystemView, disk: string): string | undefined {
  return sys.text(`/sys/class/block/${disk}/wwid`);
}

function numberOf(sys: SystemView, name: string): string | undefined {
  return sys.text(`/sys/class/block/${name}/dev`);
}

/** File systems with a number of their own still name a device they were mounted from. */
function mountedNumber(sys: SystemView, { deviceNumber, source }: Mount): string | undefined {
  const isVirtual = deviceNumber.startsWith("0:");
  return isVirtual && source.startsWith("/dev/") ? numberOf(sys, basename(source)) : deviceNumber;
}

function holdersOf(sys: SystemView, part: string): string[] {
  const holders = sys.list(`/sys/class/block/${part}/holders`);
  return holders.map((holder) => sys.text(`/sys/class/block/${holder}/dm/name`) ?? holder);
}
