// SPDX-License-Identifier: MIT
import { basename } from "node:path";
import type { SystemView } from "../sysfs.ts";
import { type Bdf, parseBdf } from "./bdf.ts";

/** One window of a PCI function in CPU physical addresses. `end` is inclusive, as in sysfs. */
export interface PciResource {
  readonly index: number;
  readonly start: bigint;
  readonly end: bigint;
  readonly flags: bigint;
}

const IORESOURCE_MEM = 0x200n;
/** Kernels have 13 to 17 a function. */
const MOST_RESOURCES = 32;

/** Memory windows of a function, unassigned ones left out. */
export function readResources(sys: SystemView, bdf: Bdf): PciResource[] {
  const lines = sys.text(`/sys/bus/pci/devices/${bdf}/resource`)?.split("\n", MOST_RESOURCES) ?? [];
  return lines.flatMap((line, index) => {
    const fields = line.trim().split(/\s+/);
    if (fields.length !== 3 || !fields.every((field) => /^0x[0-9a-f]{1,16}$/i.test(field))) return [];
    const [start, end, flags] = fields.map(BigInt) as [bigint, bigint, bigint];
    return (flags & IORESOURCE_MEM) !== 0n && end > start ? [{ index, start, end, flags }] : [];
  });
}

/** The nearest PCI function above or at a sysfs device path, the one that does its DMA. */
export function pciFunctionOf(sysfsPath: string): Bdf | undefined {
  const parts = sysfsPath.split("/").map(parseBdf);
  return parts.findLast((part) => part !== undefined);
}

/** Name of the bound driver. */
export function readDriver(sys: SystemView, bdf: Bdf): string | undefined {
  const driver = sys.resolve(`/sys/bus/pci/devices/${bdf}/driver`);
  return driver && basename(driver);
}
