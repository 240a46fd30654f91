// SPDX-License-Identifier: MIT
import { type Native, PAGE_BYTES } from "../../ffi/index.ts";
import type { Bdf } from "../pci/bdf.ts";
import { type PciResource, readResources } from "../pci/device.ts";
import type { SystemView } from "../sysfs.ts";

/** A process that has p2pmem of a provider mapped. */
export interface Holder {
  readonly pid: number;
  /** Name of the program, as in /proc/PID/comm. */
  readonly command: string;
  readonly sizeBytes: bigint;
}

/** What is asked of the native side: where a page of another process lies. */
export type FrameReader = Pick<Native, "frameOfProcess">;

interface Area {
  readonly start: bigint;
  readonly sizeBytes: bigint;
  readonly path: string;
}

/**
 * Processes with mappings of a provider's p2pmem, largest first. Memory of the sysfs file goes by its name; what
 * character devices gave out has the same name for all providers, so there the first page tells whose it is.
 * Processes of other users are seen by root only; queues of the kernel's own are not seen at all.
 */
export function listHolders(sys: SystemView, native: FrameReader, bdf: Bdf): Holder[] {
  const resources = readResources(sys, bdf);
  return sys
    .list("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => readHolder(sys, native, Number(pid), bdf, resources))
    .filter((holder) => holder.sizeBytes > 0n)
    .sort((a, b) => (a.sizeBytes < b.sizeBytes ? 1 : a.sizeBytes > b.sizeBytes ? -1 : a.pid - b.pid));
}

function readHolder(
  sys: SystemView,
  native: FrameReader,
  pid: number,
  bdf: Bdf,
  resources: readonly PciResource[],
): Holder {
  const isOurs = ({ path, start }: Area) => {
    if (path.endsWith(`/${bdf}/p2pmem/allocate`)) return true;
    if (!/^\/dev\/nvme\d+$|^anon_inode:.*p2p/.test(path)) return false;
    const frame = native.frameOfProcess(pid, start);
    const address = frame === undefined ? undefined : frame * BigInt(PAGE_BYTES);
    return address !== undefined && resources.some(({ start, end }) => address >= start && address <= end);
  };
  const areas = parseAreas(sys.text(`/proc/${pid}/maps`) ?? "").filter(isOurs);
  const sizeBytes = areas.reduce((sum, area) => sum + area.sizeBytes, 0n);
  return { pid, command: sizeBytes > 0n ? (sys.text(`/proc/${pid}/comm`) ?? "") : "", sizeBytes };
}

function parseAreas(maps: string): Area[] {
  return maps.split("\n").flatMap((line) => {
    const [, start, end, path] = /^([0-9a-f]+)-([0-9a-f]+) ...s \S+ \S+ \d+\s+(\S.*)$/.exec(line) ?? [];
    if (!start || !end || !path) return [];
    const from = BigInt(`0x${start}`);
    return [{ start: from, sizeBytes: BigInt(`0x${end}`) - from, path }];
  });
}
