// SPDX-License-Identifier: MIT
// What drivers/pci/p2pdma.c knew in which kernel. Facts only: commit ids and
// versions, so that a verdict can be given for a kernel that is not running.

/** A mainline version: major and minor. Stable and vendor trees may carry later entries. */
export interface KernelVersion {
  readonly major: number;
  readonly minor: number;
}

/** Reads `6.12.117-p2pdma` as 6.12; undefined for anything else. */
export function parseKernelVersion(text: string): KernelVersion | undefined {
  const match = /^(\d{1,3})\.(\d{1,4})(?:\D|$)/.exec(text.trim());
  return match ? { major: Number(match[1]), minor: Number(match[2]) } : undefined;
}

/** Negative, zero or positive, as for sorting. */
export function compareKernels(a: KernelVersion, b: KernelVersion): number {
  return a.major - b.major || a.minor - b.minor;
}

export function isAtLeast(kernel: KernelVersion, major: number, minor: number): boolean {
  return compareKernels(kernel, { major, minor }) >= 0;
}

export function isSince(kernel: KernelVersion, milestone: { readonly since: KernelVersion }): boolean {
  return compareKernels(kernel, milestone.since) >= 0;
}

/** A host bridge that mainline trusts with peer-to-peer traffic. */
export interface WhitelistEntry {
  readonly vendorId: number;
  /** Undefined: any device of the vendor. */
  readonly deviceId: number | undefined;
  /** Both functions must be below this very host bridge. */
  readonly sameHostBridgeOnly: boolean;
  /** First mainline release with it. */
  readonly since: KernelVersion;
  /** First release without it, where it was replaced by something wider. */
  readonly until?: KernelVersion;
  readonly name: string;
  /** Commit in mainline; a note where the release is inferred. */
  readonly source: string;
}

const v = (major: number, minor: number): KernelVersion => ({ major, minor });
const INTEL = 0x8086;
const AMD = 0x1022;
const GOOGLE = 0x1ae0;

const intel = (
  deviceId: number,
  since: KernelVersion,
  name: string,
  source: string,
  sameHostBridgeOnly = false,
) => ({
  ...{ vendorId: INTEL, deviceId, sameHostBridgeOnly, since, name, source },
});
const amd = (deviceId: number, since: KernelVersion, name: string, source: string) => ({
  ...{ vendorId: AMD, deviceId, sameHostBridgeOnly: false, since, until: v(5, 9), name, source },
});

export const hostBridgeWhitelist: readonly WhitelistEntry[] = [
  amd(0x1450, v(5, 2), "AMD Zen", "0f97da831026"),
  amd(0x15d0, v(5, 8), "AMD Raven", "7d5b10fcb81e"),
  amd(0x1630, v(5, 8), "AMD Renoir", "7d5b10fcb81e"),
  intel(0x3c00, v(5, 4), "Intel Xeon E5 / Core i7", "494d63b0d5d0", true),
  intel(0x3c01, v(5, 4), "Intel Xeon E5 / Core i7", "494d63b0d5d0", true),
  intel(0x2f00, v(5, 4), "Intel Xeon E5/E7 v3 / Core i7", "494d63b0d5d0", true),
  intel(0x2f01, v(5, 4), "Intel Xeon E5/E7 v3 / Core i7", "494d63b0d5d0", true),
  intel(0x2030, v(5, 6), "Intel Skylake-E", "bc123a515cb7"),
  intel(0x2020, v(5, 6), "Intel Skylake-E", "bc123a515cb7; release inferred"),
  intel(0x2031, v(5, 8), "Intel Skylake-E", "7b94b53db34f"),
  intel(0x2032, v(5, 8), "Intel Skylake-E", "7b94b53db34f"),
  intel(0x2033, v(5, 8), "Intel Skylake-E", "7b94b53db34f"),
  intel(0x09a2, v(5, 18), "Intel Ice Lake and later Xeon", "feaea1fe8b36"),
  {
    ...{ vendorId: GOOGLE, deviceId: undefined, sameHostBridgeOnly: false, since: v(7, 1) },
    ...{ name: "Google", source: "70cf146a674c, wildcard 1a1f96e3e2a8" },
  },
];

/** Turning points of the rules and of what userspace may do. */
export const milestones = {
  /** p2pdma.c appears: one common upstream bridge, no ACS redirect. */
  introduced: { since: v(4, 20), source: "52916982af48" },
  /** Listed root complexes too, without an IOMMU; ACS redirect still refuses. */
  rootComplexes: { since: v(5, 2), source: "0f97da831026; the IOMMU's part of it 5.3, stable 5.2 inferred" },
  /** Three map types: what ACS redirects goes through a listed host bridge, with or without an IOMMU. */
  throughHostBridge: { since: v(5, 4), source: "494d63b0d5d0" },
  /** Any AMD CPU of family 0x17 (Zen) or newer, whatever its host bridge. */
  amdZen: { since: v(5, 9), source: "dea286bb71ba" },
  /** A root bus is known by its first device at 00.0, and from here by a root port in any slot. */
  anyRootPort: { since: v(5, 19), source: "1af7c26c59eb" },
  /** dma-direct and dma-iommu can map p2pmem; other IOMMU code refuses. */
  dmaOps: { since: v(6, 0), source: "f02ad36d4f76, 30280eee2db1" },
  /** `p2pmem/allocate` and O_DIRECT from userspace. */
  userspace: { since: v(6, 2), source: "7e9c7ef83d78, 4003f107fa2e" },
  /** From here a refused pair is EINVAL instead of EREMOTEIO. */
  refusalIsEinval: { since: v(6, 17), source: "scatterlist-free blk-mq DMA; release inferred" },
} as const;

/** The whitelist entry that a root bus's first device matches in a kernel. */
export function findWhitelisted(
  kernel: KernelVersion,
  vendorId: number,
  deviceId: number,
): WhitelistEntry | undefined {
  return hostBridgeWhitelist.find(
    (entry) =>
      entry.vendorId === vendorId &&
      (entry.deviceId === undefined || entry.deviceId === deviceId) &&
      compareKernels(kernel, entry.since) >= 0 &&
      (entry.until === undefined || compareKernels(kernel, entry.until) < 0),
  );
}
