// SPDX-License-Identifier: MIT
// Machines that are not here, for tests: from a description to the files that its kernel would show.
import type { CapturedView } from "../../core/capture/captured-view.ts";
import { gatherAll } from "../../core/capture/gatherers.ts";
import { parseCapture } from "../../core/capture/parse.ts";
import { RecordingView } from "../../core/capture/recording-view.ts";
import { writeCapture } from "../../core/capture/write.ts";
import type { Bdf } from "../../core/pci/bdf.ts";
import {
  type FunctionDescription,
  hostBridge,
  type MachineDescription,
  type NvmeDescription,
  port,
} from "../fixtures/machines/description.ts";
import { configBytes } from "./config-bytes.ts";
import { MemoryFiles } from "./memory-files.ts";

const MEMORY_WINDOW = 0x140204n;
const RESOURCE_LINES = 13;

/** The files of a machine, to look at or to change. */
export function machineFiles(machine: MachineDescription): MemoryFiles {
  const files = new MemoryFiles();
  files.write("/proc/sys/kernel/osrelease", `${machine.kernel}\n`);
  files.write("/proc/sys/kernel/hostname", "fixture-host\n");
  files.write("/proc/sys/kernel/io_uring_disabled", "0\n");
  files.write("/proc/cmdline", `${machine.commandLine ?? "root=/dev/nvme0n1p2 ro quiet"}\n`);
  files.write("/proc/cpuinfo", cpuText(machine));
  files.write("/proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
  files.write("/proc/self/mountinfo", "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n");
  files.write("/proc/self/status", "Name:\tp2pdma\nUid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n");
  files.write(`/boot/config-${machine.kernel}`, optionText(machine.options ?? ["PCI=y", "PCI_P2PDMA=y"]));
  files.folder("/sys/bus/pci/devices");
  for (const [name, functions] of Object.entries(machine.roots)) {
    for (const one of functions) addFunction(files, `/sys/devices/${name}`, one);
  }
  for (const [path, content] of Object.entries(machine.files ?? {})) files.write(path, content);
  return files;
}

/** A machine as a user's capture of it would show it: recorded, written, and read again. */
export function capturedMachine(machine: MachineDescription): CapturedView {
  return parseCapture(Buffer.from(captureText(machine)), machine.name).view;
}

export function captureText(machine: MachineDescription, withSerials = false): string {
  const recording = new RecordingView(machineFiles(machine));
  gatherAll(recording);
  return writeCapture(recording.answers, { createdWith: "p2pdma 0.0.0", withSerials });
}

/** All addresses of a machine in the order of their description. */
export function addressesOf({ roots }: MachineDescription): Bdf[] {
  const collect = (functions: readonly FunctionDescription[]): string[] =>
    functions.flatMap(({ at, children = [], domain }) => [
      at,
      ...collect(children),
      ...collect(domain?.functions ?? []),
    ]);
  return collect(Object.values(roots).flat()) as Bdf[];
}

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0");

const SWITCH_PORTS = 8;
const FUNCTIONS_A_DOMAIN = 250;

/** A machine of just so many functions, in domains of 250: switches, the first ones eight deep, and drives. */
export function manyFunctions(count: number): MachineDescription {
  const roots = Array.from({ length: Math.ceil(count / FUNCTIONS_A_DOMAIN) }, (_, domain) => {
    const functions = Math.min(FUNCTIONS_A_DOMAIN, count - domain * FUNCTIONS_A_DOMAIN);
    return [`pci${hex(domain, 4)}:00`, growDomain(hex(domain, 4), functions)] as const;
  });
  return {
    ...{ name: "many-functions", source: "made up", kernel: "6.12.0", cpu: { vendor_id: "GenuineIntel" } },
    roots: Object.fromEntries(roots),
  };
}

function growDomain(domain: string, count: number): FunctionDescription[] {
  const budget = { functions: count - 1, bus: 1 };
  const bus = () => `${domain}:${hex(budget.bus++, 2)}`;
  const take = (make: () => FunctionDescription) => (budget.functions-- > 0 ? [make()] : []);
  const leaf = () =>
    take(() => ({ at: `${bus()}:00.0`, ids: "144d:a80c", type: "endpoint", classCode: 0x010802 }));
  const growSwitch = (depth: number): FunctionDescription[] =>
    take(() => {
      const [upper, lower] = [bus(), bus()];
      const ports = Array.from({ length: SWITCH_PORTS }, (_, device) =>
        take(() => {
          const below = device === 0 && depth > 1 ? growSwitch(depth - 1) : leaf();
          return port(`${lower}:${hex(device, 2)}.0`, "104c:8233", "downstream-port", below);
        }),
      );
      return port(`${upper}:00.0`, "104c:8232", "upstream-port", ports.flat());
    });
  const rootPorts = Array.from({ length: 31 }, (_, index) =>
    take(() =>
      port(`${domain}:00:${hex(index + 1, 2)}.0`, "8086:347a", "root-port", growSwitch(index === 0 ? 8 : 1)),
    ),
  );
  return [hostBridge(`${domain}:00:00.0`, "8086:09a2"), ...rootPorts.flat()];
}

function cpuText({ cpu }: MachineDescription): string {
  const lines = Object.entries({ processor: "0", ...cpu }).map(([name, value]) => `${name}\t: ${value}\n`);
  return `${lines.join("")}\n${lines.join("").replace(": 0", ": 1")}\n`;
}

function optionText(options: readonly string[]): string {
  return options.map((option) => `CONFIG_${option}\n`).join("");
}

function addFunction(files: MemoryFiles, parent: string, one: FunctionDescription): void {
  const at = `${parent}/${one.at}`;
  const [vendor, device] = one.ids.split(":");
  const classCode = one.classCode ?? defaultClass(one);
  files.link(`/sys/bus/pci/devices/${one.at}`, at);
  files.write(`${at}/vendor`, `0x${vendor}\n`);
  files.write(`${at}/device`, `0x${device}\n`);
  files.write(`${at}/class`, `0x${hex(classCode, 6)}\n`);
  files.write(`${at}/numa_node`, `${one.numaNode ?? -1}\n`);
  files.write(`${at}/config`, configBytes({ ...one, classCode, length: one.configBytes ?? 4096 }));
  files.write(`${at}/resource`, resourceText(one));
  addLink(files, at, one);
  if (one.driver) {
    files.folder(`/sys/bus/pci/drivers/${one.driver}`);
    files.link(`${at}/driver`, `/sys/bus/pci/drivers/${one.driver}`);
  }
  if (one.iommuGroup !== undefined) {
    files.write(`/sys/kernel/iommu_groups/${one.iommuGroup}/type`, "DMA-FQ\n");
    files.link(`${at}/iommu_group`, `/sys/kernel/iommu_groups/${one.iommuGroup}`);
  }
  if (one.p2pmem) addP2pmem(files, at, one.p2pmem);
  if (one.net) files.folder(`${at}/net/${one.net}`);
  if (one.nvme) addController(files, at, one.at, one.nvme);
  for (const child of one.children ?? []) addFunction(files, at, child);
  for (const child of one.domain?.functions ?? []) addFunction(files, `${at}/${one.domain?.name}`, child);
}

function defaultClass({ nvme, type }: FunctionDescription): number {
  if (nvme) return 0x010802;
  return type.endsWith("port") || type.endsWith("bridge") ? 0x060400 : 0xff0000;
}

function resourceText({ windows = {} }: FunctionDescription): string {
  const word = (value: bigint) => `0x${value.toString(16).padStart(16, "0")}`;
  return Array.from({ length: RESOURCE_LINES }, (_, index) => {
    const [start, size] = windows[index] ?? [];
    const line =
      start === undefined || size === undefined ? [0n, 0n, 0n] : [start, start + size - 1n, MEMORY_WINDOW];
    return `${line.map(word).join(" ")}\n`;
  }).join("");
}

function addLink(files: MemoryFiles, at: string, { link }: FunctionDescription): void {
  if (!link) return;
  const [speed, width, maxSpeed, maxWidth] = link;
  files.write(`${at}/current_link_speed`, `${speed.toFixed(1)} GT/s PCIe\n`);
  files.write(`${at}/current_link_width`, `${width}\n`);
  files.write(`${at}/max_link_speed`, `${maxSpeed.toFixed(1)} GT/s PCIe\n`);
  files.write(`${at}/max_link_width`, `${maxWidth}\n`);
}

function addP2pmem(files: MemoryFiles, at: string, memory: NonNullable<FunctionDescription["p2pmem"]>): void {
  files.write(`${at}/p2pmem/size`, `${memory.size}\n`);
  files.write(`${at}/p2pmem/available`, `${memory.available}\n`);
  files.write(`${at}/p2pmem/published`, memory.isPublished ? "1\n" : "0\n");
  files.write(`${at}/p2pmem/allocate`, "");
}

function addController(files: MemoryFiles, pci: string, address: string, nvme: NvmeDescription): void {
  const { name, model, serial, firmware = "1.0", cmb } = nvme;
  const at = `${pci}/nvme/${name}`;
  const fields = {
    address,
    transport: "pcie",
    state: "live",
    model: model.padEnd(40),
    firmware_rev: firmware,
  };
  for (const [file, value] of Object.entries(fields)) files.write(`${at}/${file}`, `${value}\n`);
  files.write(`${at}/serial`, `${serial.padEnd(20)}\n`);
  files.write(`${at}/subsysnqn`, `nqn.2014-08.org.nvmexpress:uuid:${serial}\n`);
  if (cmb) {
    files.write(`${at}/cmbloc`, `${cmb.location}\n`);
    files.write(`${at}/cmbsz`, `${cmb.size >>> 0}\n`);
  }
  files.link(`${at}/device`, pci);
  files.link(`/sys/class/nvme/${name}`, at);
  files.write(`/dev/${name}`, "");
  addNamespace(files, at, nvme);
}

function addNamespace(files: MemoryFiles, controller: string, nvme: NvmeDescription): void {
  const { name, serial, sizeBytes = 1e12, lbaBytes = 512 } = nvme;
  const [disk, minor] = [`${name}n1`, Number(name.replace(/\D/g, ""))];
  const at = `${controller}/${disk}`;
  files.write(`${at}/size`, `${Math.floor(sizeBytes / 512)}\n`);
  files.write(`${at}/dev`, `259:${minor}\n`);
  files.write(`${at}/ro`, "0\n");
  files.write(`${at}/nsid`, "1\n");
  files.write(`${at}/wwid`, `eui.${Buffer.from(serial).toString("hex").slice(0, 32)}\n`);
  files.write(`${at}/queue/logical_block_size`, `${lbaBytes}\n`);
  files.write(`${at}/queue/dma_alignment`, "3\n");
  files.folder(`${at}/slaves`);
  files.folder(`${at}/holders`);
  files.link(`${at}/device`, controller);
  files.link(`/sys/class/block/${disk}`, at);
  files.link(`/sys/dev/block/259:${minor}`, at);
  files.write(`/dev/${disk}`, "");
}
