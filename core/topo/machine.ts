// SPDX-License-Identifier: MIT
import { listControllers, type NvmeController } from "../nvme/controllers.ts";
import { listProviders, type Provider } from "../p2pmem/providers.ts";
import type { Bdf } from "../pci/bdf.ts";
import type { KernelVersion } from "../pci/p2pdma-history.ts";
import { type PciFunction, type PciTree, readPciTree } from "../pci/tree.ts";
import type { SystemView } from "../sysfs.ts";
import { readBusOffsets } from "./bus-offset.ts";
import { type Host, readHost } from "./platform.ts";

/** A function worth showing: it lends memory, does DMA, or both. */
export interface Device {
  readonly bdf: Bdf;
  /** Unique: `nvme0`, `eth0`, the driver of a provider, else the PCI address. */
  readonly name: string;
  readonly pci: PciFunction;
  readonly controller: NvmeController | undefined;
  readonly provider: Provider | undefined;
  readonly isClient: boolean;
}

/** All that the topology commands know, read once. */
export interface Machine {
  readonly host: Host;
  readonly tree: PciTree;
  /** By PCI address. */
  readonly devices: readonly Device[];
  /** See readBusOffsets. */
  readonly busOffsets: ReadonlyMap<string, bigint>;
  /** Some function's ACS could not be read, so some verdicts are open. */
  readonly isAcsHidden: boolean;
}

export interface MachineOptions {
  /** Predict for this kernel instead of the running one. */
  readonly kernel?: KernelVersion | undefined;
  /** Storage, network, display and accelerator functions without NVMe driver are clients, too. */
  readonly all?: boolean | undefined;
}

/** Base classes (PCI Code and ID Assignment) whose functions do DMA to bulk data. */
const DMA_CLASSES = [0x01, 0x02, 0x03, 0x0d, 0x12];
const INFINIBAND = 0x0c06;

/** @throws P2pdmaError USAGE when the kernel's version is unknown. */
export function readMachine(view: SystemView, options: MachineOptions = {}): Machine {
  const tree = readPciTree(view);
  return {
    host: readHost(view, options.kernel),
    tree,
    devices: readDevices(view, tree, options.all ?? false),
    busOffsets: readBusOffsets(view, tree),
    isAcsHidden: [...tree.functions.values()].some(({ acs }) => acs.state === "unknown"),
  };
}

export function providersOf({ devices }: Machine): Device[] {
  return devices.filter(({ provider }) => provider !== undefined);
}

export function clientsOf({ devices }: Machine): Device[] {
  return devices.filter(({ isClient }) => isClient);
}

/** Bytes on a drive, all namespaces together; undefined for what is no drive. */
export function driveBytes({ controller }: Device): bigint | undefined {
  return controller?.namespaces.reduce((total, { sizeBytes }) => total + sizeBytes, 0n);
}

function readDevices(view: SystemView, tree: PciTree, all: boolean): Device[] {
  const controllers = new Map(listControllers(view).map((found) => [found.bdf, found]));
  const providers = new Map(listProviders(view).map((found) => [found.bdf, found]));
  const functions = [...tree.functions.values()].sort((a, b) => (a.bdf < b.bdf ? -1 : 1));
  const found = functions.flatMap((pci): Device[] => {
    const [controller, provider] = [controllers.get(pci.bdf), providers.get(pci.bdf)];
    const isClient = controller !== undefined || (all && doesBulkDma(pci));
    if (!isClient && !provider) return [];
    const name = controller?.name ?? netName(view, pci.bdf) ?? provider?.name ?? pci.bdf;
    return [{ bdf: pci.bdf, name, pci, controller, provider, isClient }];
  });
  return withUniqueNames(found);
}

function doesBulkDma({ classCode, isBridge }: PciFunction): boolean {
  return !isBridge && (DMA_CLASSES.includes(classCode >> 16) || classCode >> 8 === INFINIBAND);
}

function netName(view: SystemView, bdf: Bdf): string | undefined {
  const [name, ...more] = view.list(`/sys/bus/pci/devices/${bdf}/net`);
  return more.length === 0 ? name : undefined;
}

/** Two cards with one driver would have its name both. */
function withUniqueNames(devices: readonly Device[]): Device[] {
  const count = (wanted: string) => devices.filter(({ name }) => name === wanted).length;
  return devices.map((device) => (count(device.name) > 1 ? { ...device, name: device.bdf } : device));
}
