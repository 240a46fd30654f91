// SPDX-License-Identifier: MIT
import { readBlockDevice } from "../copy/disk.ts";
import { listMounts, listSwaps } from "../copy/mounts.ts";
import { readDoctorFacts } from "../doctor/facts.ts";
import { takeInventory } from "../inventory.ts";
import { reportCmbs } from "../nvme/cmb-report.ts";
import { listControllers } from "../nvme/controllers.ts";
import { listProviders } from "../p2pmem/providers.ts";
import { readPciTree } from "../pci/tree.ts";
import type { SystemView } from "../sysfs.ts";
import { readMachine } from "../topo/machine.ts";

/** Asks a view all that one part of the program would ask; what it makes of the answers is not needed. */
export type Gatherer = (view: SystemView) => unknown;

/**
 * All that a capture answers. Whatever looks at a machine through a view is
 * listed here, or it will find nothing in a capture.
 */
export const gatherers: readonly Gatherer[] = [
  readPciTree,
  listControllers,
  listProviders,
  (view) => reportCmbs(view, undefined, []),
  // The kernel is given, since a view that can't tell it is no reason to stop.
  (view) => readMachine(view, { kernel: { major: 6, minor: 12 }, all: true }),
  listMounts,
  listSwaps,
  (view) => takeInventory(view, undefined),
  readBlockDevices,
  readBlockLayers,
  readModuleParameters,
  readIommu,
  readDeviceNodes,
  readDoctorFacts,
  readSystem,
];

/** Runs them all; one after the other, so that a capture is as near to one moment as it can be. */
export function gatherAll(view: SystemView): void {
  for (const gather of gatherers) gather(view);
}

function readBlockDevices(view: SystemView): void {
  for (const number of view.list("/sys/dev/block")) readBlockDevice(view, number);
}

/** What direct I/O needs, and what is stacked on what. */
function readBlockLayers(view: SystemView): void {
  for (const name of view.list("/sys/class/block")) {
    const at = `/sys/class/block/${name}`;
    for (const file of ["dev", "queue/logical_block_size", "queue/dma_alignment", "dm/name"])
      view.text(`${at}/${file}`);
    view.list(`${at}/slaves`);
    view.list(`${at}/holders`);
    view.exists(`${at}/partition`);
    view.exists(`${at}/md`);
  }
}

function readModuleParameters(view: SystemView): void {
  for (const module of ["nvme", "nvme_core"]) {
    const at = `/sys/module/${module}/parameters`;
    for (const parameter of view.list(at)) view.text(`${at}/${parameter}`);
  }
}

function readIommu(view: SystemView): void {
  view.list("/sys/class/iommu");
  for (const group of view.list("/sys/kernel/iommu_groups")) {
    view.text(`/sys/kernel/iommu_groups/${group}/type`);
  }
}

/** A view can tell that they are there, not who may open them. */
function readDeviceNodes(view: SystemView): void {
  for (const name of view.list("/sys/class/nvme")) view.exists(`/dev/${name}`);
  for (const name of view.list("/sys/class/nvme-generic")) view.exists(`/dev/${name}`);
  for (const name of view.list("/sys/class/block")) view.exists(`/dev/${name}`);
}

function readSystem(view: SystemView): void {
  const release = view.text("/proc/sys/kernel/osrelease");
  if (release) view.bytes(`/boot/config-${release}`);
  for (const path of SYSTEM_FILES) view.bytes(path);
}

const SYSTEM_FILES = [
  "/proc/cmdline",
  "/proc/config.gz",
  "/proc/cpuinfo",
  "/proc/self/limits",
  "/proc/self/mountinfo",
  "/proc/self/status",
  "/proc/swaps",
  "/proc/sys/kernel/hostname",
  "/proc/sys/kernel/io_uring_disabled",
  "/sys/class/dmi/id/board_name",
  "/sys/class/dmi/id/product_name",
  "/sys/class/dmi/id/sys_vendor",
  "/sys/kernel/security/lockdown",
];
