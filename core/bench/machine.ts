// SPDX-License-Identifier: MIT
import type { Endpoint } from "../copy/endpoint.ts";
import type { SystemView } from "../sysfs.ts";
import { linkAbove, type Machine, providersOf } from "../topo/index.ts";

/** What a result must be read with. */
export interface MachineDescription {
  readonly host: string | undefined;
  readonly kernel: string | undefined;
  readonly cpu: string | undefined;
  readonly processors: number;
  readonly memoryBytes: bigint | undefined;
  readonly drives: readonly DriveDescription[];
  readonly providers: readonly ProviderDescription[];
}

export interface DriveDescription {
  readonly path: string;
  readonly bdf: string | undefined;
  readonly model: string | undefined;
  readonly serial: string | undefined;
  readonly firmware: string | undefined;
  readonly sizeBytes: bigint;
  readonly blockBytes: number;
  /** `8 GT/s x4` */
  readonly link: string | undefined;
  readonly numaNode: number | undefined;
}

export interface ProviderDescription {
  readonly name: string;
  readonly bdf: string;
  readonly sizeBytes: bigint;
  readonly link: string | undefined;
  readonly numaNode: number | undefined;
}

export function describeMachine(
  sys: SystemView,
  machine: Machine,
  ends: readonly Endpoint[],
): MachineDescription {
  const { host } = machine;
  return {
    host: host.name,
    kernel: host.kernelRelease,
    cpu: host.cpuModel,
    processors: (sys.text("/proc/cpuinfo") ?? "").split(/^processor\s*:/m).length - 1,
    memoryBytes: memoryOf(sys),
    drives: ends.map((end) => describeDrive(machine, end)),
    providers: providersOf(machine).map(({ bdf, name, pci, provider }) => ({
      ...{ name, bdf, sizeBytes: provider?.sizeBytes ?? 0n },
      ...{ link: linkAbove(machine.tree, pci)?.now, numaNode: pci.numaNode },
    })),
  };
}

function describeDrive(
  machine: Machine,
  { path, device, sizeBytes, blockBytes }: Endpoint,
): DriveDescription {
  const found = machine.devices.find(({ bdf }) => bdf === device?.client);
  return {
    ...{ path, bdf: device?.client, sizeBytes, blockBytes },
    model: found?.controller?.model ?? device?.identity.model,
    serial: found?.controller?.serial ?? device?.identity.serial,
    firmware: found?.controller?.firmware,
    link: found && linkAbove(machine.tree, found.pci)?.now,
    numaNode: found?.pci.numaNode,
  };
}

function memoryOf(sys: SystemView): bigint | undefined {
  const [, kib] = /^MemTotal:\s+(\d+) kB$/m.exec(sys.text("/proc/meminfo") ?? "") ?? [];
  return kib === undefined ? undefined : BigInt(kib) * 1024n;
}
