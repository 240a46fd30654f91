// SPDX-License-Identifier: MIT

/** Where the bytes of an emulated drive live. */
export type DriveBackend =
  /** An unnamed temporary file, or a `--disk FILE` in its place. */
  | { readonly kind: "sparse" }
  /** Nowhere: writes vanish, reads are zeroes, both after `latencyNs`. Fast, and only good for speed. */
  | { readonly kind: "null"; readonly latencyNs: number };

/** An error that the medium of a drive answers with. */
export interface MediumError {
  readonly on: "read" | "write" | "flush";
  /** In units of 512 bytes; every request that touches it fails. Undefined: every request of that kind. */
  readonly sector?: number;
  /** Linux's, as QEMU meets it on its host. Default: 5, EIO. */
  readonly errno?: number;
  /** So many requests fail, then none. Linux's NVMe driver tries six times before anybody else hears of it. */
  readonly times?: number;
}

export interface Drive {
  readonly kind: "drive";
  /** Names the drive: serial `P2PLAB-A`, `/dev/lab/A` in the guest, QEMU id `drive-A`. */
  readonly letter: string;
  readonly sizeMiB: number;
  /** Controller Memory Buffer: p2pmem that belongs to this drive. 2 MiB at least, else the kernel ignores it. */
  readonly cmbMiB?: number;
  readonly lbaBytes?: 512 | 4096;
  readonly backend: DriveBackend;
  readonly mediumErrors?: readonly MediumError[];
  /** A file of the host that takes down every write and flush in order, in the format of Linux's dm-log-writes. */
  readonly writeLog?: string;
}

/** A PCI function whose BAR 2 is RAM: p2pmem without the emulator's slow CMB path. */
export interface RamProvider {
  readonly kind: "ram-provider";
  readonly sizeMiB: number;
}

export type Endpoint = Drive | RamProvider;

/** One device of several functions, each of them a drive. */
export interface Siblings {
  readonly kind: "siblings";
  readonly functions: readonly Drive[];
}

/** An upstream port and one downstream port a child. */
export interface PciSwitch {
  readonly kind: "switch";
  /** Which of its ports have an ACS capability, which can send peer traffic up to the root. */
  readonly acs: "none" | "downstream" | "all";
  readonly below: readonly (Endpoint | Siblings | PciSwitch)[];
}

export interface RootPort {
  readonly kind: "root-port";
  readonly below: Endpoint | Siblings | PciSwitch;
}

/** A second PCI host bridge, beside the one every machine has. */
export interface HostBridge {
  readonly kind: "host-bridge";
  readonly busNumber: number;
  /** Where its root ports begin; its first device tells the kernel what host bridge it is. */
  readonly firstSlot: number;
  readonly ports: readonly RootPort[];
}

/** What hangs on the root bus. */
export type PciNode = RootPort | HostBridge | Drive | Siblings;

/** A machine to boot: what is plugged where, and what the kernel is told. */
export interface Topology {
  readonly name: string;
  /** One line for `lab list`. */
  readonly summary: string;
  readonly cpu: string;
  readonly memoryMiB: number;
  readonly kernelArgs: readonly string[];
  /** An emulated VT-d, which the kernel uses only with `intel_iommu=on`. */
  readonly iommu: boolean;
  readonly pci: readonly PciNode[];
}

const MACHINE_DEFAULTS = { cpu: "max", memoryMiB: 1024, kernelArgs: [], iommu: false } as const;

export function topology(parts: Pick<Topology, "name" | "summary" | "pci"> & Partial<Topology>): Topology {
  return { ...MACHINE_DEFAULTS, ...parts };
}

/** A drive of 8 GiB by default, so that offsets past 4 GiB exist. */
export function drive(letter: string, options: Partial<Omit<Drive, "kind" | "letter">> = {}): Drive {
  return { kind: "drive", letter, sizeMiB: 8192, backend: { kind: "sparse" }, ...options };
}

/** A drive that keeps nothing, for measuring speed. */
export function nullDrive(letter: string, options: Partial<Omit<Drive, "kind" | "letter">> = {}): Drive {
  return drive(letter, { sizeMiB: 16384, backend: { kind: "null", latencyNs: 0 }, ...options });
}

export function ramProvider(sizeMiB: number): RamProvider {
  return { kind: "ram-provider", sizeMiB };
}

export function siblings(...functions: Drive[]): Siblings {
  return { kind: "siblings", functions };
}

export function pciSwitch(...below: PciSwitch["below"]): PciSwitch {
  return { kind: "switch", acs: "none", below };
}

export function acsSwitch(...below: PciSwitch["below"]): PciSwitch {
  return { kind: "switch", acs: "downstream", below };
}

/** With an upstream port that has ACS, too, which real ones have only as one of several functions. */
export function acsEverywhereSwitch(...below: PciSwitch["below"]): PciSwitch {
  return { kind: "switch", acs: "all", below };
}

export function rootPort(below: RootPort["below"]): RootPort {
  return { kind: "root-port", below };
}

export function hostBridge(busNumber: number, ...ports: RootPort[]): HostBridge {
  return { kind: "host-bridge", busNumber, firstSlot: 0, ports };
}
