// SPDX-License-Identifier: MIT

/** Where the bytes of an emulated drive live. */
export type DriveBackend =
  /** An unnamed temporary file, or a `--disk FILE` in its place. */
  | { readonly kind: "sparse" }
  /** Nowhere: writes vanish, reads are zeroes, both after `latencyNs`. Fast, and only good for speed. */
  | { readonly kind: "null"; readonly latencyNs: number };

export interface Drive {
  readonly kind: "drive";
  /** Names the drive: serial `P2PLAB-A`, `/dev/lab/A` in the guest, QEMU id `drive-A`. */
  readonly letter: string;
  readonly sizeMiB: number;
  /** Controller Memory Buffer: p2pmem that belongs to this drive. 2 MiB at least, else the kernel ignores it. */
  readonly cmbMiB?: number;
  readonly lbaBytes?: 512 | 4096;
  readonly backend: DriveBackend;
}

/** A PCI function whose BAR 2 is RAM: p2pmem without the emulator's slow CMB path. */
export interface RamProvider {
  readonly kind: "ram-provider";
  readonly sizeMiB: number;
}

export type Endpoint = Drive | RamProvider;

/** An upstream port and one downstream port a child. */
export interface PciSwitch {
  readonly kind: "switch";
  /** Downstream ports with an ACS capability, which can send peer traffic up to the root. */
  readonly acs: boolean;
  readonly below: readonly (Endpoint | PciSwitch)[];
}

export interface RootPort {
  readonly kind: "root-port";
  readonly below: Endpoint | PciSwitch;
}

/** A second PCI host bridge, beside the one every machine has. */
export interface HostBridge {
  readonly kind: "host-bridge";
  readonly busNumber: number;
  readonly ports: readonly RootPort[];
}

export type PciNode = RootPort | HostBridge;

/** A machine to boot: what is plugged where, and what the kernel is told. */
export interface Topology {
  readonly name: string;
  /** One line for `lab list`. */
  readonly summary: string;
  readonly cpu: string;
  readonly memoryMiB: number;
  readonly kernelArgs: readonly string[];
  readonly pci: readonly PciNode[];
}

const MACHINE_DEFAULTS = { cpu: "max", memoryMiB: 1024, kernelArgs: [] } as const;

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

export function pciSwitch(...below: PciSwitch["below"]): PciSwitch {
  return { kind: "switch", acs: false, below };
}

export function acsSwitch(...below: PciSwitch["below"]): PciSwitch {
  return { kind: "switch", acs: true, below };
}

export function rootPort(below: RootPort["below"]): RootPort {
  return { kind: "root-port", below };
}

export function hostBridge(busNumber: number, ...ports: RootPort[]): HostBridge {
  return { kind: "host-bridge", busNumber, ports };
}
