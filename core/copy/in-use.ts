// SPDX-License-Identifier: MIT
import { statSync } from "node:fs";
import { basename } from "node:path";
import type { SystemView } from "../sysfs.ts";
import { deviceNumber } from "./disk.ts";
import { listMounts, listSwaps } from "./mounts.ts";

/** Something that uses a block device or a part of it. */
export interface BlockUse {
  /** Kernel name of the part: `nvme0n1p2`. */
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
  const parts = name === disk ? [name, ...partitionsOf(sys, disk)] : [name, disk];
  const numbers = new Map(parts.map((part) => [sys.text(`/sys/class/block/${part}/dev`) ?? "", part]));
  const mounted = listMounts(sys).map(({ deviceNumber, mountPoint }) => ({
    number: deviceNumber,
    by: mountPoint,
  }));
  const swaps = listSwaps(sys).map((path) => ({
    number: sys.text(`/sys/class/block/${basename(path)}/dev`) ?? "",
    by: path,
  }));
  const usesOf = (kind: BlockUse["kind"], users: { number: string; by: string }[]) =>
    users.flatMap(({ number, by }): BlockUse[] => {
      const part = numbers.get(number);
      return part ? [{ part, kind, by }] : [];
    });
  const held = parts.flatMap((part) =>
    holdersOf(sys, part).map((by): BlockUse => ({ part, kind: "held", by })),
  );
  return [...usesOf("mounted", mounted), ...usesOf("swap", swaps), ...held];
}

/** One use in words. */
export function describeUse({ part, kind, by }: BlockUse): string {
  if (kind === "mounted") return `${part} is mounted on ${by}`;
  return kind === "swap" ? `${by} is in use as swap` : `${part} is held by ${by}`;
}

/** `major:minor` of a block device node; undefined for anything else. */
export function blockNumberOf(path: string): string | undefined {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat?.isBlockDevice() ? deviceNumber(stat.rdev) : undefined;
}

function partitionsOf(sys: SystemView, disk: string): string[] {
  const at = `/sys/class/block/${disk}`;
  return sys.list(at).filter((entry) => sys.exists(`${at}/${entry}/partition`));
}

function holdersOf(sys: SystemView, part: string): string[] {
  const holders = sys.list(`/sys/class/block/${part}/holders`);
  return holders.map((holder) => sys.text(`/sys/class/block/${holder}/dm/name`) ?? holder);
}
