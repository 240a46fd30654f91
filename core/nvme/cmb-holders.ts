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

/** A stretch of a process's memory that may be p2pmem. */
export interface MappedArea {
  readonly pid: number;
  readonly start: bigint;
  readonly sizeBytes: bigint;
  readonly path: string;
}

/** Memory of the sysfs file has its path; what a character device gave out may have that of no provider. */
const SYSFS_FILE = /\/p2pmem\/allocate$/;
const OTHERS = /^\/dev\/nvme\d+$|^anon_inode:.*p2p/;

/**
 * All shared mappings of all processes that may be p2pmem. Looks at every process, so ask once.
 * Processes of other users are seen by root only; queues of the kernel's own are not seen at all.
 */
export function findMappedAreas(sys: SystemView): MappedArea[] {
  const pids = sys.list("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => parseMaps(Number(pid), sys.text(`/proc/${pid}/maps`) ?? ""));
}

/** Processes that hold p2pmem of a provider, largest first. Where the path does not tell, the first page does. */
export function listHolders(
  sys: SystemView,
  native: FrameReader,
  bdf: Bdf,
  areas: readonly MappedArea[],
): Holder[] {
  const resources = readResources(sys, bdf);
  const sizes = new Map<number, bigint>();
  for (const area of areas) {
    if (!isOf(area, native, bdf, resources)) continue;
    sizes.set(area.pid, (sizes.get(area.pid) ?? 0n) + area.sizeBytes);
  }
  return [...sizes]
    .map(([pid, sizeBytes]) => ({ pid, command: sys.text(`/proc/${pid}/comm`) ?? "", sizeBytes }))
    .sort((a, b) => (a.sizeBytes < b.sizeBytes ? 1 : a.sizeBytes > b.sizeBytes ? -1 : a.pid - b.pid));
}

function isOf(
  { pid, start, path }: MappedArea,
  native: FrameReader,
  bdf: Bdf,
  resources: readonly PciResource[],
): boolean {
  if (SYSFS_FILE.test(path)) return path.endsWith(`/${bdf}/p2pmem/allocate`);
  const frame = native.frameOfProcess(pid, start);
  if (frame === undefined) return false;
  const address = frame * BigInt(PAGE_BYTES);
  return resources.some((resource) => address >= resource.start && address <= resource.end);
}

function parseMaps(pid: number, maps: string): MappedArea[] {
  return maps.split("\n").flatMap((line) => {
    const [, start, end, path] = /^([0-9a-f]+)-([0-9a-f]+) ...s \S+ \S+ \d+\s+(\S.*)$/.exec(line) ?? [];
    if (!start || !end || !path || !(SYSFS_FILE.test(path) || OTHERS.test(path))) return [];
    const from = BigInt(`0x${start}`);
    return [{ pid, start: from, sizeBytes: BigInt(`0x${end}`) - from, path }];
  });
}
