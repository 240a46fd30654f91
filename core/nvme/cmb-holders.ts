// SPDX-License-Identifier: MIT
import type { Bdf } from "../pci/bdf.ts";
import type { SystemView } from "../sysfs.ts";

/** A process that has p2pmem of a provider mapped. */
export interface Holder {
  readonly pid: number;
  /** Name of the program, as in /proc/PID/comm. */
  readonly command: string;
  readonly sizeBytes: bigint;
}

/**
 * Processes with mappings of a provider's p2pmem, by either allocator, largest first. Other users'
 * processes are seen by root only; queues of the kernel's own are not seen at all.
 */
export function listHolders(sys: SystemView, bdf: Bdf, controller: string | undefined): Holder[] {
  return sys
    .list("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => readHolder(sys, pid, bdf, controller))
    .filter((holder) => holder.sizeBytes > 0n)
    .sort((a, b) => (a.sizeBytes < b.sizeBytes ? 1 : a.sizeBytes > b.sizeBytes ? -1 : a.pid - b.pid));
}

function readHolder(sys: SystemView, pid: string, bdf: Bdf, controller: string | undefined): Holder {
  const maps = sys.text(`/proc/${pid}/maps`) ?? "";
  const isOurs = (path: string) =>
    path.endsWith(`/${bdf}/p2pmem/allocate`) || (controller !== undefined && path === `/dev/${controller}`);
  let sizeBytes = 0n;
  for (const line of maps.split("\n")) {
    const [, start, end, path] = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \d+\s+(\/.*)$/.exec(line) ?? [];
    if (start && end && path && isOurs(path)) sizeBytes += BigInt(`0x${end}`) - BigInt(`0x${start}`);
  }
  return { pid: Number(pid), command: sys.text(`/proc/${pid}/comm`) ?? "", sizeBytes };
}
