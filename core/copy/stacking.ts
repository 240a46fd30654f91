// SPDX-License-Identifier: MIT
import { usageError } from "../errors.ts";
import type { SystemView } from "../sysfs.ts";
import type { Endpoint } from "./endpoint.ts";
import { fileKey } from "./in-use.ts";

/** What a block device is made of, all the way down: names of devices, and `dev:ino` of files behind loop devices. */
function foundations(sys: SystemView, name: string, seen = new Set<string>()): Set<string> {
  const at = `/sys/class/block/${name}`;
  const backing = sys.text(`${at}/loop/backing_file`);
  const file = backing && fileKey(backing);
  if (file && !file.isBlockDevice) seen.add(file.key);
  for (const lower of sys.list(`${at}/slaves`)) {
    if (seen.has(lower)) continue;
    seen.add(lower);
    foundations(sys, lower, seen);
  }
  return seen;
}

/**
 * Refuses ends of which one is made of the other: a volume and its disk, a loop device and its file, or two loop
 * devices of one file. Where the one lies in the other can't be told.
 * @throws P2pdmaError USAGE
 */
export function checkStacking(sys: SystemView, src: Endpoint, dst: Endpoint): void {
  const [below, belowToo] = [src, dst].map((end) => lowerOf(sys, end));
  const [own, ownToo] = [src, dst].map(namesOf);
  if (!below || !belowToo || !own || !ownToo) return;
  const sharedFile = [...below].some(
    (key) => key.includes(":") && belowToo.has(key) && !isOneDevice(src, dst),
  );
  if (sharedFile || own.some((key) => belowToo.has(key)) || ownToo.some((key) => below.has(key))) {
    throw usageError(
      `Cannot copy "${src.path}" to "${dst.path}": one is made of the other, or both of the same file`,
      "p2pdma list and lsblk show what is stacked on what",
    );
  }
}

function lowerOf(sys: SystemView, { kind, device }: Endpoint): Set<string> {
  if (kind === "file" || !device) return new Set();
  const below = foundations(sys, device.disk);
  // A volume made of a partition overlaps the whole disk, too.
  for (const name of [...below]) {
    const disk = /^(.*\d)p\d+$|^([a-z]+)\d+$/
      .exec(name)
      ?.slice(1)
      .find((part) => part);
    if (disk && sys.exists(`/sys/class/block/${disk}/${name}`)) below.add(`${disk} as a whole`);
  }
  return below;
}

/** How a foundation would name this end. A part of a whole disk that is a foundation overlaps it. */
function namesOf({ kind, device, inode }: Endpoint): string[] {
  if (kind === "file") return inode ? [inode] : [];
  if (!device) return [];
  return device.name === device.disk
    ? [device.name, `${device.name} as a whole`]
    : [device.name, device.disk];
}

function isOneDevice(src: Endpoint, dst: Endpoint): boolean {
  return src.device !== undefined && src.device.disk === dst.device?.disk;
}
