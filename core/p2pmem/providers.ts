// SPDX-License-Identifier: MIT
import { type Bdf, parseBdf } from "../pci/bdf.ts";
import { type PciResource, readDriver, readResources } from "../pci/device.ts";
import type { SystemView } from "../sysfs.ts";

/** How userspace gets at a provider's memory: the sysfs file, or mmap of the NVMe character device. */
export type AllocatorKind = "sysfs" | "chardev";

export interface Allocator {
  readonly kind: AllocatorKind;
  readonly path: string;
}

/** A PCI function whose memory is registered as p2pmem. */
export interface Provider {
  readonly bdf: Bdf;
  /** `nvme0` for a controller, else the driver's name. */
  readonly name: string;
  readonly sizeBytes: bigint;
  readonly availableBytes: bigint;
  /** Offered to users inside the kernel; allocation from userspace does not depend on it. */
  readonly isPublished: boolean;
  /** Those that may work; a character device tells only when mapped. */
  readonly allocators: readonly Allocator[];
  readonly resources: readonly PciResource[];
}

const DEVICES = "/sys/bus/pci/devices";

/** All providers of the machine, by address. */
export function listProviders(sys: SystemView): Provider[] {
  return sys.list(DEVICES).flatMap((entry) => {
    const bdf = parseBdf(entry);
    return bdf && sys.exists(`${DEVICES}/${bdf}/p2pmem`) ? [readProvider(sys, bdf)] : [];
  });
}

/** Finds a provider by PCI address or controller name (`nvme0`, `/dev/nvme0`). */
export function findProvider(providers: readonly Provider[], wanted: string): Provider | undefined {
  const name = wanted.replace(/^\/dev\//, "");
  const bdf = parseBdf(wanted);
  return providers.find((provider) => provider.bdf === bdf || provider.name === name);
}

/** Free p2pmem of a provider now, in bytes; undefined when it has gone. */
export function readAvailable(sys: SystemView, bdf: Bdf): bigint | undefined {
  return sys.integer(`${DEVICES}/${bdf}/p2pmem/available`);
}

function readProvider(sys: SystemView, bdf: Bdf): Provider {
  const at = `${DEVICES}/${bdf}`;
  const controller = sys.list(`${at}/nvme`).find((name) => /^nvme\d+$/.test(name));
  return {
    bdf,
    name: controller ?? readDriver(sys, bdf) ?? bdf,
    sizeBytes: sys.integer(`${at}/p2pmem/size`) ?? 0n,
    availableBytes: readAvailable(sys, bdf) ?? 0n,
    isPublished: sys.text(`${at}/p2pmem/published`) === "1",
    allocators: listAllocators(sys, at, controller),
    resources: readResources(sys, bdf),
  };
}

function listAllocators(sys: SystemView, at: string, controller: string | undefined): Allocator[] {
  const found: Allocator[] = [];
  if (sys.exists(`${at}/p2pmem/allocate`)) found.push({ kind: "sysfs", path: `${at}/p2pmem/allocate` });
  if (controller && sys.exists(`/dev/${controller}`))
    found.push({ kind: "chardev", path: `/dev/${controller}` });
  return found;
}
