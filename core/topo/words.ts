// SPDX-License-Identifier: MIT
import { ACS_BITS, ACS_REDIRECT_MASK, type Acs, type PortType } from "../pci/config-space.ts";
import type { PciFunction, PciLink, PciTree } from "../pci/tree.ts";

const PORT_WORDS: Readonly<Partial<Record<PortType, string>>> = {
  "root-port": "root port",
  "upstream-port": "switch, upstream port",
  "downstream-port": "switch, downstream port",
  "pcie-to-pci-bridge": "PCIe-to-PCI bridge",
  "pci-to-pcie-bridge": "PCI-to-PCIe bridge",
};

/** By base class and sub-class, else by base class (PCI Code and ID Assignment). */
const CLASS_WORDS: Readonly<Record<number, string>> = {
  ...{ 256: "SCSI controller", 262: "SATA controller", 264: "NVMe controller" },
  ...{ 1: "storage controller", 2: "network controller", 3: "display controller" },
  ...{ 3078: "InfiniBand controller", 1280: "RAM", 5: "memory controller", 13: "wireless controller" },
  ...{ 1536: "host bridge", 1537: "ISA bridge", 1540: "bridge", 6: "bridge" },
  ...{ 2176: "system peripheral", 18: "accelerator", 3075: "USB controller" },
};

/** What a function is: `root port`, `NVMe controller`. */
export function functionWords({ portType, classCode, isBridge }: PciFunction): string {
  const port = portType && PORT_WORDS[portType];
  if (port && isBridge) return port;
  return CLASS_WORDS[classCode >> 8] ?? CLASS_WORDS[classCode >> 16] ?? "function";
}

/** `8086:29c0` */
export function idsOf({ vendorId, deviceId }: PciFunction): string {
  return [vendorId, deviceId].map((id) => id.toString(16).padStart(4, "0")).join(":");
}

/** A link as it is, and as it could be when both its ends allow more. */
export interface LinkState {
  readonly now: string;
  /** Undefined when the link runs at its best. */
  readonly best: string | undefined;
}

/** The link above a function; undefined where there is none or nothing is known. */
export function linkAbove(tree: PciTree, pci: PciFunction): LinkState | undefined {
  const above = pci.parent && tree.functions.get(pci.parent);
  // Inside a switch there is no link.
  if (!pci.link || !above || above.portType === "upstream-port") return undefined;
  const { speedGtps, width, maxSpeedGtps, maxWidth } = pci.link;
  const best = bestOf(pci.link, above.link ?? pci.link);
  const isFull = speedGtps >= best.maxSpeedGtps && width >= best.maxWidth;
  const isTold = maxSpeedGtps > 0 && maxWidth > 0 && width > 0;
  return {
    now: linkWords(speedGtps, width),
    best: isFull || !isTold ? undefined : linkWords(best.maxSpeedGtps, best.maxWidth),
  };
}

function bestOf(a: PciLink, b: PciLink): Pick<PciLink, "maxSpeedGtps" | "maxWidth"> {
  return {
    maxSpeedGtps: Math.min(a.maxSpeedGtps, b.maxSpeedGtps),
    maxWidth: Math.min(a.maxWidth, b.maxWidth),
  };
}

function linkWords(speedGtps: number, width: number): string {
  return `${speedGtps} GT/s x${width}`;
}

const BIT_WORDS: readonly (readonly [number, string, string])[] = [
  [ACS_BITS.sourceValidation, "SV", "source validation"],
  [ACS_BITS.translationBlocking, "TB", "translation blocking"],
  [ACS_BITS.requestRedirect, "RR", "request redirect"],
  [ACS_BITS.completionRedirect, "CR", "completion redirect"],
  [ACS_BITS.upstreamForwarding, "UF", "upstream forwarding"],
  [ACS_BITS.egressControl, "EC", "egress control"],
  [ACS_BITS.directTranslated, "DT", "direct translated"],
];

/** Short names of the bits that are on: `RR CR`. */
export function acsBits(control: number, mask = 0x7f): string {
  const on = BIT_WORDS.filter(([bit]) => (control & mask & bit) !== 0);
  return on.map(([, short]) => short).join(" ");
}

/** For a column: `redirects RR CR`, `off`, `none`, `?`. */
export function acsShort(acs: Acs): string {
  if (acs.state === "unknown") return "?";
  if (acs.state === "absent") return "none";
  const bits = acsBits(acs.control, ACS_REDIRECT_MASK);
  return bits ? `redirects ${bits}` : "off";
}

/** Every bit that is on, in full. */
export function acsWords(acs: Acs): string {
  if (acs.state === "unknown") return "ACS not readable: needs root";
  if (acs.state === "absent") return "no ACS";
  const redirecting = longNames(acs.control & ACS_REDIRECT_MASK);
  const harmless = longNames(acs.control & ~ACS_REDIRECT_MASK);
  const head = redirecting ? `ACS redirects (${redirecting})` : "ACS does not redirect";
  return harmless ? `${head}; also ${harmless}` : head;
}

function longNames(control: number): string {
  const on = BIT_WORDS.filter(([bit]) => (control & bit) !== 0);
  return on.map(([, , long]) => long).join(", ");
}
