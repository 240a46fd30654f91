// SPDX-License-Identifier: MIT
// Machines made of a few words, as the files that Linux would show of them.
import { posix } from "node:path";
import type { Bdf } from "../../../../core/pci/bdf.ts";
import { SystemView } from "../../../../core/sysfs.ts";
import { type Machine, type MachineOptions, readMachine } from "../../../../core/topo/index.ts";

export interface FakeFunction {
  readonly bdf: string;
  /** The bridge above; on the root bus without one. */
  readonly below?: string;
  /** `pci0000:00` unless told. */
  readonly root?: string;
  readonly type?: keyof typeof PORT_TYPES;
  readonly ids?: string;
  readonly classCode?: number;
  /** ACS control bits; no capability without them. */
  readonly acs?: number;
  /** Only the 64 bytes that anybody may read. */
  readonly hidden?: boolean;
  readonly numa?: number;
  readonly group?: number;
  /** Speed and width, now and at best. */
  readonly link?: readonly [number, number, number, number];
  readonly driver?: string;
  readonly nvme?: { readonly name: string; readonly model?: string; readonly gib?: number };
  readonly net?: string;
  readonly p2pmemMiB?: number;
  /** CPU address of BAR 0, and the bus address where it differs. */
  readonly bar?: { readonly cpu: bigint; readonly bus?: bigint };
}

export interface FakeHost {
  readonly release?: string;
  readonly cpuinfo?: string;
}

const PORT_TYPES = { endpoint: 0, "root-port": 4, "upstream-port": 5, "downstream-port": 6 } as const;
const BRIDGE = 0x060400;
const NVME = 0x010802;

export const INTEL = "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel name\t: Intel Test\n\n";
export const ZEN = "vendor_id\t: AuthenticAMD\ncpu family\t: 23\nmodel name\t: AMD Test\n\n";

/** A host bridge's own function, 8086:29c0 unless told: no kernel lists it. */
export const hostFunction = (bdf: string, over: Partial<FakeFunction> = {}): FakeFunction => ({
  ...{ bdf, ids: "8086:29c0", classCode: 0x060000 },
  ...over,
});
export const rootPort = (bdf: string, over: Partial<FakeFunction> = {}): FakeFunction => ({
  ...{ bdf, type: "root-port", classCode: BRIDGE, ids: "1b36:000c", driver: "pcieport" },
  ...over,
});
export const upstream = (bdf: string, below: string, over: Partial<FakeFunction> = {}): FakeFunction => ({
  ...{ bdf, below, type: "upstream-port", classCode: BRIDGE, ids: "104c:8232", driver: "pcieport" },
  ...over,
});
export const downstream = (bdf: string, below: string, over: Partial<FakeFunction> = {}): FakeFunction => ({
  ...{ bdf, below, type: "downstream-port", classCode: BRIDGE, ids: "104c:8233", driver: "pcieport" },
  ...over,
});
export const drive = (bdf: string, below: string, name: string, over: Partial<FakeFunction> = {}) => ({
  ...{ bdf, below, type: "endpoint" as const, classCode: NVME, ids: "1b36:0010", driver: "nvme" },
  nvme: { name, model: "Test Drive", gib: 8 },
  ...over,
});

export function fakeMachine(
  functions: readonly FakeFunction[],
  host: FakeHost = {},
  options: MachineOptions = {},
): Machine {
  return readMachine(fakeView(functions, host), options);
}

export function fakeView(functions: readonly FakeFunction[], host: FakeHost = {}): SystemView {
  const view = new MemoryView();
  view.file("/proc/sys/kernel/osrelease", `${host.release ?? "6.12.1-test"}\n`);
  view.file("/proc/cpuinfo", host.cpuinfo ?? INTEL);
  for (const pci of functions) addFunction(view, functions, pci);
  return view;
}

/** Files and links by path; directories are what lies above them. */
class MemoryView extends SystemView {
  private readonly files = new Map<string, Uint8Array>();
  private readonly links = new Map<string, string>();

  file(path: string, content: string | Uint8Array): void {
    this.files.set(path, typeof content === "string" ? Buffer.from(content) : content);
  }

  link(path: string, target: string): void {
    this.links.set(path, target);
  }

  override bytes(path: string): Uint8Array | undefined {
    return this.files.get(this.follow(path));
  }

  override list(path: string): string[] {
    const start = `${this.follow(path)}/`;
    const names = [...this.files.keys(), ...this.links.keys()]
      .filter((known) => known.startsWith(start))
      .map((known) => known.slice(start.length).split("/")[0] ?? "");
    return [...new Set(names)].sort();
  }

  override resolve(path: string): string | undefined {
    const real = this.follow(path);
    return this.files.has(real) || this.list(real).length > 0 || this.isTarget(real) ? real : undefined;
  }

  private follow(path: string): string {
    let real = posix.normalize(path);
    for (const [from, to] of this.links) {
      if (real === from || real.startsWith(`${from}/`)) real = to + real.slice(from.length);
    }
    return real;
  }

  private isTarget(path: string): boolean {
    return [...this.links.values()].includes(path);
  }
}

function addFunction(view: MemoryView, all: readonly FakeFunction[], pci: FakeFunction): void {
  const at = sysfsPath(all, pci);
  const [vendor, device] = (pci.ids ?? "1234:5678").split(":");
  view.link(`/sys/bus/pci/devices/${pci.bdf}`, at);
  view.file(`${at}/vendor`, `0x${vendor}\n`);
  view.file(`${at}/device`, `0x${device}\n`);
  view.file(`${at}/class`, `0x${(pci.classCode ?? 0).toString(16).padStart(6, "0")}\n`);
  view.file(`${at}/numa_node`, `${pci.numa ?? -1}\n`);
  view.file(`${at}/config`, configSpace(pci));
  if (pci.driver) view.link(`${at}/driver`, `/sys/bus/pci/drivers/${pci.driver}`);
  if (pci.group !== undefined) view.link(`${at}/iommu_group`, `/sys/kernel/iommu_groups/${pci.group}`);
  addLink(view, at, pci);
  addMemory(view, at, pci);
  if (pci.net) view.file(`${at}/net/${pci.net}/address`, "00:00:00:00:00:00\n");
  if (pci.nvme) addController(view, at, pci, pci.nvme);
}

function sysfsPath(all: readonly FakeFunction[], pci: FakeFunction): string {
  const above = all.find(({ bdf }) => bdf === pci.below);
  if (pci.below && !above) throw new Error(`${pci.bdf} is below ${pci.below}, which is not there`);
  return `${above ? sysfsPath(all, above) : `/sys/devices/${pci.root ?? "pci0000:00"}`}/${pci.bdf}`;
}

function addLink(view: MemoryView, at: string, { link }: FakeFunction): void {
  if (!link) return;
  const [speed, width, maxSpeed, maxWidth] = link;
  view.file(`${at}/current_link_speed`, `${speed.toFixed(1)} GT/s PCIe\n`);
  view.file(`${at}/current_link_width`, `${width}\n`);
  view.file(`${at}/max_link_speed`, `${maxSpeed.toFixed(1)} GT/s PCIe\n`);
  view.file(`${at}/max_link_width`, `${maxWidth}\n`);
}

function addMemory(view: MemoryView, at: string, { p2pmemMiB, bar }: FakeFunction): void {
  if (bar) {
    const end = bar.cpu + 0xfffn;
    view.file(`${at}/resource`, `0x${bar.cpu.toString(16)} 0x${end.toString(16)} 0x0000000000140204\n`);
  }
  if (p2pmemMiB === undefined) return;
  const bytes = p2pmemMiB * 2 ** 20;
  view.file(`${at}/p2pmem/size`, `${bytes}\n`);
  view.file(`${at}/p2pmem/available`, `${bytes - 131072}\n`);
  view.file(`${at}/p2pmem/published`, "1\n");
}

function addController(
  view: MemoryView,
  at: string,
  pci: FakeFunction,
  { name, model = "Test Drive", gib = 8 }: NonNullable<FakeFunction["nvme"]>,
): void {
  const controller = `${at}/nvme/${name}`;
  view.link(`/sys/class/nvme/${name}`, controller);
  const fields = {
    address: pci.bdf,
    transport: "pcie",
    state: "live",
    model,
    serial: `S-${name}`,
    firmware_rev: "1",
  };
  for (const [field, value] of Object.entries(fields)) view.file(`${controller}/${field}`, `${value}\n`);
  const namespace = `${controller}/${name}n1`;
  view.link(`/sys/class/block/${name}n1`, namespace);
  view.file(`${namespace}/nsid`, "1\n");
  view.file(`${namespace}/size`, `${(BigInt(gib) * 2n ** 30n) / 512n}\n`);
}

/** Header, PCI Express capability at 0x40, ACS at 0x100: as much as the topology rules look at. */
function configSpace(pci: FakeFunction): Uint8Array {
  const space = Buffer.alloc(pci.type === undefined ? 256 : 4096);
  const bus = pci.bar?.bus ?? pci.bar?.cpu;
  if (bus !== undefined) {
    space.writeUInt32LE(Number(bus & 0xfffffff0n) + 0x4, 0x10);
    space.writeUInt32LE(Number(bus >> 32n), 0x14);
  }
  if (pci.classCode === BRIDGE) space.writeUInt8(1, 0x0e);
  if (pci.type !== undefined) {
    space.writeUInt16LE(0x10, 0x06);
    space.writeUInt8(0x40, 0x34);
    space.writeUInt8(0x10, 0x40);
    space.writeUInt16LE((PORT_TYPES[pci.type] << 4) | 2, 0x42);
  }
  if (pci.acs !== undefined) {
    space.writeUInt32LE(0x0001000d, 0x100);
    space.writeUInt16LE(0x5f, 0x104);
    space.writeUInt16LE(pci.acs, 0x106);
  }
  return pci.hidden ? space.subarray(0, 64) : space;
}

export const bdf = (text: string) => text as Bdf;
