// SPDX-License-Identifier: MIT

/** What kind of PCI Express port a function is (PCI Express Capabilities Register, bits 7:4). */
export type PortType =
  | "endpoint"
  | "legacy-endpoint"
  | "root-port"
  | "upstream-port"
  | "downstream-port"
  | "pcie-to-pci-bridge"
  | "pci-to-pcie-bridge"
  | "root-complex-endpoint"
  | "root-complex-event-collector"
  | "conventional";

/**
 * Access Control Services of a function. `unknown`: config space beyond its
 * first 64 bytes needs CAP_SYS_ADMIN, so nothing can be said.
 */
export type Acs =
  | { readonly state: "absent" }
  | { readonly state: "unknown" }
  | {
      readonly state: "present";
      /** Offset of the capability in config space. */
      readonly offset: number;
      readonly capability: number;
      readonly control: number;
    };

export interface ConfigSpace {
  /** Undefined when the capability list can't be seen. */
  readonly portType: PortType | undefined;
  readonly acs: Acs;
}

/** Bits of the ACS capability and control registers (linux/pci_regs.h). */
export const ACS_BITS = {
  sourceValidation: 0x01,
  translationBlocking: 0x02,
  requestRedirect: 0x04,
  completionRedirect: 0x08,
  upstreamForwarding: 0x10,
  egressControl: 0x20,
  directTranslated: 0x40,
} as const;

/** Those that send peer-to-peer traffic upstream: drivers/pci/p2pdma.c tests RR, CR and EC. */
export const ACS_REDIRECT_MASK =
  ACS_BITS.requestRedirect | ACS_BITS.completionRedirect | ACS_BITS.egressControl;

const STATUS_OFFSET = 0x06;
const STATUS_CAPABILITY_LIST = 0x10;
const CAPABILITY_POINTER = 0x34;
const CAPABILITY_PCIE = 0x10;
const EXTENDED_START = 0x100;
const EXTENDED_ACS = 0x000d;
const HEADER_BYTES = 64;
const UNSEEN: ConfigSpace = { portType: undefined, acs: { state: "unknown" } };
/** More than fit, so a list that runs in circles ends. */
const MOST_CAPABILITIES = 1024;

const PORT_TYPES: readonly (PortType | undefined)[] = [
  ...(["endpoint", "legacy-endpoint", undefined, undefined, "root-port", "upstream-port"] as const),
  ...(["downstream-port", "pcie-to-pci-bridge", "pci-to-pcie-bridge"] as const),
  ...(["root-complex-endpoint", "root-complex-event-collector"] as const),
];

/**
 * Reads what the topology rules need from a function's config space. What the
 * kernel did not show (64 bytes without CAP_SYS_ADMIN, 128 of a CardBus bridge)
 * is unknown, never absent.
 */
export function parseConfigSpace(bytes: Uint8Array): ConfigSpace {
  const space = Buffer.from(bytes);
  if (space.length <= HEADER_BYTES || isGone(space)) return UNSEEN;
  const pcie = findCapability(space, CAPABILITY_PCIE);
  if (pcie === "unseen") return UNSEEN;
  if (pcie === undefined) return { portType: "conventional", acs: { state: "absent" } };
  return { portType: PORT_TYPES[(space.readUInt16LE(pcie + 2) >> 4) & 0xf], acs: findAcs(space) };
}

/** True, false, or undefined when config space did not tell. */
export function redirects(acs: Acs): boolean | undefined {
  if (acs.state === "unknown") return undefined;
  return acs.state === "present" && (acs.control & ACS_REDIRECT_MASK) !== 0;
}

/** A function that has left the bus reads as ones. */
function isGone(space: Buffer): boolean {
  return space.readUInt16LE(0) === 0xffff;
}

function findCapability(space: Buffer, id: number): number | undefined | "unseen" {
  if ((space.readUInt16LE(STATUS_OFFSET) & STATUS_CAPABILITY_LIST) === 0) return undefined;
  let at = space.readUInt8(CAPABILITY_POINTER) & 0xfc;
  for (let seen = 0; at >= HEADER_BYTES && seen < MOST_CAPABILITIES; seen++) {
    if (at + 4 > space.length) return "unseen";
    if (space.readUInt8(at) === id) return at;
    at = space.readUInt8(at + 1) & 0xfc;
  }
  return undefined;
}

function findAcs(space: Buffer): Acs {
  const at = findExtendedCapability(space, EXTENDED_ACS);
  if (at === "unseen") return { state: "unknown" };
  if (at === undefined) return { state: "absent" };
  const [capability, control] = [space.readUInt16LE(at + 4), space.readUInt16LE(at + 6)];
  return { state: "present", offset: at, capability, control };
}

/** Offset of an extended capability; `unseen` where config space ends before the list of them does. */
export function findExtendedCapability(space: Buffer, id: number): number | undefined | "unseen" {
  // Exactly the conventional part: the machine has no more, and the kernel finds none either.
  if (space.length === EXTENDED_START) return undefined;
  let at = EXTENDED_START;
  for (let seen = 0; at >= EXTENDED_START && seen < MOST_CAPABILITIES; seen++) {
    if (at + 8 > space.length) return "unseen";
    const header = space.readUInt32LE(at);
    if (header === 0 || header === 0xffffffff) return undefined;
    if ((header & 0xffff) === id) return at;
    at = (header >>> 20) & 0xffc;
  }
  return undefined;
}
