// SPDX-License-Identifier: MIT
import type { SystemView } from "../sysfs.ts";
import { type Bdf, parseBdf } from "./bdf.ts";
import { type Acs, type PortType, parseConfigSpace } from "./config-space.ts";
import { type PciResource, readDriver, readResources } from "./device.ts";

/** Speed in GT/s and number of lanes, now and at best. */
export interface PciLink {
  readonly speedGtps: number;
  readonly width: number;
  readonly maxSpeedGtps: number;
  readonly maxWidth: number;
}

export interface PciFunction {
  readonly bdf: Bdf;
  readonly vendorId: number;
  readonly deviceId: number;
  /** 24 bits: base class, sub-class, programming interface. */
  readonly classCode: number;
  readonly driver: string | undefined;
  /** Undefined where firmware names none. */
  readonly numaNode: number | undefined;
  readonly iommuGroup: string | undefined;
  /** The bridge above; undefined on a root bus. */
  readonly parent: Bdf | undefined;
  /** Root bus it belongs to: `pci0000:00`. */
  readonly hostBridge: string;
  readonly link: PciLink | undefined;
  readonly portType: PortType | undefined;
  readonly acs: Acs;
  readonly resources: readonly PciResource[];
  readonly isBridge: boolean;
}

export interface HostBridge {
  /** `pci0000:00` */
  readonly name: string;
  /** First function on the root bus: its ids decide the kernel's whitelist. */
  readonly firstDevice: Bdf | undefined;
}

/** All PCI functions of a machine. */
export interface PciTree {
  readonly functions: ReadonlyMap<Bdf, PciFunction>;
  readonly hostBridges: ReadonlyMap<string, HostBridge>;
}

const DEVICES = "/sys/bus/pci/devices";
const BRIDGE_CLASS = 0x06;
const PCI_BRIDGE_SUBCLASSES = [0x04, 0x09];

/** Reads the whole tree; functions that vanish meanwhile are left out. */
export function readPciTree(sys: SystemView): PciTree {
  const functions = new Map<Bdf, PciFunction>();
  for (const entry of sys.list(DEVICES)) {
    const bdf = parseBdf(entry);
    const found = bdf && readFunction(sys, bdf);
    if (found) functions.set(found.bdf, found);
  }
  return { functions, hostBridges: collectHostBridges(functions) };
}

/** The function and every bridge above it, up to the root bus. */
export function pathUp(tree: PciTree, from: Bdf): PciFunction[] {
  const path: PciFunction[] = [];
  for (let at = tree.functions.get(from); at; at = at.parent && tree.functions.get(at.parent)) path.push(at);
  return path;
}

function readFunction(sys: SystemView, bdf: Bdf): PciFunction | undefined {
  const at = `${DEVICES}/${bdf}`;
  const place = placeOf(sys.resolve(at));
  if (!place) return undefined;
  const number = (file: string) => Number(sys.integer(`${at}/${file}`) ?? 0n);
  const classCode = number("class");
  return {
    bdf,
    ...place,
    ...{ vendorId: number("vendor"), deviceId: number("device"), classCode },
    driver: readDriver(sys, bdf),
    numaNode: readNumaNode(sys.text(`${at}/numa_node`)),
    iommuGroup: sys.resolve(`${at}/iommu_group`)?.split("/").at(-1),
    link: readLink(sys, at),
    ...parseConfigSpace(sys.bytes(`${at}/config`) ?? new Uint8Array()),
    resources: readResources(sys, bdf),
    isBridge: classCode >> 16 === BRIDGE_CLASS && PCI_BRIDGE_SUBCLASSES.includes((classCode >> 8) & 0xff),
  };
}

/** The last root bus in the path counts: behind a VMD the devices hang below a second one. */
function placeOf(real: string | undefined): { parent: Bdf | undefined; hostBridge: string } | undefined {
  const parts = real?.split("/") ?? [];
  const root = parts.findLastIndex((part) => /^pci[0-9a-f]{4,8}:[0-9a-f]{2}$/.test(part));
  const hostBridge = parts[root];
  if (root < 0 || !hostBridge || parts.length === root + 1) return undefined;
  return { hostBridge, parent: parts.length > root + 2 ? parseBdf(parts.at(-2) ?? "") : undefined };
}

function readNumaNode(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

function readLink(sys: SystemView, at: string): PciLink | undefined {
  const number = (file: string) => Number.parseFloat(sys.text(`${at}/${file}`) ?? "");
  const link = {
    speedGtps: number("current_link_speed"),
    width: number("current_link_width"),
    maxSpeedGtps: number("max_link_speed"),
    maxWidth: number("max_link_width"),
  };
  return Object.values(link).every((value) => Number.isFinite(value)) ? link : undefined;
}

/** The kernel takes the first entry of the root bus's list, which it filled in address order. */
function collectHostBridges(functions: ReadonlyMap<Bdf, PciFunction>): Map<string, HostBridge> {
  const bridges = new Map<string, HostBridge>();
  for (const { bdf, hostBridge, parent } of functions.values()) {
    const known = bridges.get(hostBridge)?.firstDevice;
    const isFirst = parent === undefined && (known === undefined || bdf < known);
    bridges.set(hostBridge, { name: hostBridge, firstDevice: isFirst ? bdf : known });
  }
  return bridges;
}
