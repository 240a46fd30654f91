// SPDX-License-Identifier: MIT
import type { Accel } from "./accel.ts";
import { type Backing, backingArguments } from "./disks.ts";
import { channelFd } from "./machine.ts";
import { pciArguments } from "./pci-args.ts";
import type { Share } from "./protocol.ts";
import type { Topology } from "./topology.ts";

/** Everything that the command line of QEMU depends on. */
export interface MachineSpec {
  readonly accel: Accel;
  readonly topology: Pick<Topology, "cpu" | "memoryMiB" | "kernelArgs" | "iommu" | "pci">;
  readonly kernel: string;
  readonly initramfs: string;
  /** One for each drive of the topology, by its letter. */
  readonly backings: ReadonlyMap<string, Backing>;
  readonly shares: readonly Share[];
  readonly append?: string | undefined;
  readonly trace?: TraceRequest | undefined;
  readonly extraArgs?: readonly string[] | undefined;
}

/** QEMU's own record of what the emulated drives did: proof that does not come from the guest. */
export interface TraceRequest {
  readonly file: string;
  /** QEMU event patterns; by default those that tell each NVMe command and the address of each data page. */
  readonly events?: readonly string[];
}

export const DEFAULT_TRACE_EVENTS = [
  "pci_nvme_map_addr",
  "pci_nvme_map_addr_cmb",
  "pci_nvme_read",
  "pci_nvme_write",
  "pci_nvme_io_cmd",
] as const;

/**
 * QEMU 7.2 refuses data in a drive's own CMB when an SGL of several segments in RAM describes them ("Invalid Use of
 * Controller Memory Buffer"), which the block layer makes of merged requests. It has no trouble with PRP lists.
 */
const NO_SGL = "nvme.sgl_threshold=0";
/** `panic=-1` with `-no-reboot` makes QEMU end at a panic. */
const KERNEL_ARGS = ["console=ttyS0", "panic=-1", NO_SGL];

/** Slots of the root bus; pci-args.ts leaves those below 0x10 to us. */
const SERIAL_SLOT = 1;
const FIRST_SHARE_SLOT = 2;
/** The root file system and 13 more fit below the first root port. */
export const MOST_SHARES = 13;

export function qemuArguments(spec: MachineSpec): string[] {
  return [
    ...machineArguments(spec),
    ...channelArguments(),
    ...[{ tag: "host", path: "/" }, ...spec.shares].flatMap(shareArguments),
    ...driveArguments(spec),
    ...(spec.trace ? traceArguments(spec.trace) : []),
    ...(spec.extraArgs ?? []),
  ];
}

function machineArguments({ accel, topology, kernel, initramfs, append }: MachineSpec): string[] {
  const kernelArgs = [...KERNEL_ARGS, ...topology.kernelArgs, ...(append ? [append] : [])];
  return [
    ...["-accel", accel === "tcg" ? "tcg,thread=multi" : "kvm"],
    ...["-machine", "q35", "-cpu", topology.cpu, "-smp", "2", "-m", `${topology.memoryMiB}M`],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"],
    ...["-kernel", kernel, "-initrd", initramfs, "-append", kernelArgs.join(" ")],
    // Before every device that it is to translate for.
    ...(topology.iommu ? ["-device", "intel-iommu"] : []),
  ];
}

function channelArguments(): string[] {
  const ports = (["control", "stdin", "stdout", "stderr"] as const).flatMap((name) => [
    ...["-chardev", `socket,id=${name},fd=${channelFd(name)}`],
    ...["-device", `virtserialport,chardev=${name},name=p2pdma.${name}`],
  ]);
  return [
    ...["-device", `virtio-serial-pci,bus=pcie.0,addr=${SERIAL_SLOT}`, ...ports],
    ...["-chardev", `socket,id=qmp,fd=${channelFd("qmp")}`, "-mon", "chardev=qmp,mode=control"],
  ];
}

/** The first one is the host's root, which nobody may write. */
function shareArguments({ tag, path }: Share, index: number): string[] {
  const readonly = index === 0 ? "on" : "off";
  const escaped = path.replaceAll(",", ",,");
  return [
    "-fsdev",
    `local,id=${tag},path=${escaped},security_model=none,readonly=${readonly},multidevs=remap`,
    "-device",
    `virtio-9p-pci,bus=pcie.0,addr=${FIRST_SHARE_SLOT + index},fsdev=${tag},mount_tag=${tag}`,
  ];
}

function driveArguments({ topology, backings }: MachineSpec): string[] {
  const { args, drives } = pciArguments(topology.pci);
  const backends = drives.flatMap((drive) => {
    const backing = backings.get(drive.letter);
    if (!backing) throw new RangeError(`drive ${drive.letter} has no backing`);
    return backingArguments(drive, backing);
  });
  return [...backends, ...args];
}

function traceArguments({ file, events = DEFAULT_TRACE_EVENTS }: TraceRequest): string[] {
  return [...events.flatMap((event) => ["-trace", event]), "-D", file];
}
