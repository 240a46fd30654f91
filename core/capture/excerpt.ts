// SPDX-License-Identifier: MIT
// Files that say more than anyone needs to judge peer-to-peer DMA: what of them goes into a capture.
import { gunzipSync, gzipSync } from "node:zlib";
import { captureLimits } from "./format.ts";

type Excerpt = (text: string) => string;

const PARAMETERS =
  /^(?:pci|pcie_\w+|iommu|iommu\.\w+|intel_iommu|amd_iommu|nvme\w*\.\S+|nokaslr|lockdown|lsm)(?:=|$)/;

const CPU_FIELDS = new Set([
  ...["processor", "vendor_id", "cpu family", "model", "model name", "stepping"],
  ...["CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision"],
]);

/**
 * Options of the kernel that have to do with PCI, DMA, memory hot-plug, NVMe,
 * io_uring and what may forbid them. Whoever judges by another one adds it here.
 */
const OPTIONS =
  /PCI|P2P|DMA|IOMMU|NVME|ZONE_DEVICE|HOTPLUG|HOTREMOVE|SPARSEMEM|IO_URING|LOCKDOWN|RANDOMIZE|DEVMEM|PAGE_MONITOR|VMD|KALLSYMS|IKCONFIG|X86_64|ARM64|LOCALVERSION|BLK_DEV_DM|BLK_DEV_MD/;

const excerpts: readonly (readonly [RegExp, Excerpt])[] = [
  [/^\/proc\/cmdline$/, keepParameters],
  [/^\/proc\/cpuinfo$/, keepFirstCpu],
  [/^\/proc\/(?:self|\d+)\/status$/, (text) => keepLines(text, /^(?:Uid|CapEff):/)],
  [/^\/proc\/(?:self|\d+)\/limits$/, (text) => keepLines(text, /^(?:Limit|Max locked memory) /)],
  [/^\/proc\/(?:self|\d+)\/mountinfo$/, keepMounts],
  [/^\/boot\/config-[^/]*$/, keepOptions],
  [/^\/proc\/kallsyms$/, keepSymbols],
];

/** The part of a file that a capture keeps: all of most files. */
export function excerptOf(path: string, bytes: Uint8Array): Uint8Array {
  if (path === "/proc/config.gz") return keepCompressedOptions(bytes);
  const [, excerpt] = excerpts.find(([pattern]) => pattern.test(path)) ?? [];
  return excerpt ? Buffer.from(excerpt(Buffer.from(bytes).toString("utf8")), "utf8") : bytes;
}

function keepParameters(text: string): string {
  const parameters = text.trim().match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
  return `${parameters.filter((parameter) => PARAMETERS.test(parameter)).join(" ")}\n`;
}

/** Of the flags only the one that a hypervisor sets. Boards append a serial number behind the last CPU. */
function keepFirstCpu(text: string): string {
  const [first = ""] = text.split(/\n\s*\n/);
  const lines = first.split("\n").flatMap((line) => {
    const name = line.split(":", 1)[0]?.trim() ?? "";
    if (name === "flags") return / hypervisor(?: |$)/.test(line) ? ["flags\t\t: hypervisor"] : [];
    return CPU_FIELDS.has(name) ? [line] : [];
  });
  return `${lines.join("\n")}\n\n`;
}

function keepLines(text: string, pattern: RegExp): string {
  const lines = text.split("\n").filter((line) => pattern.test(line));
  return lines.map((line) => `${line}\n`).join("");
}

/**
 * Of mounts of block devices the device, mount point, file system and whether it
 * is read-only. The rest can name servers, users and folders.
 */
function keepMounts(text: string): string {
  const lines = text.split("\n").flatMap((line) => {
    const fields = line.split(" ");
    const separator = fields.indexOf("-");
    const [id, parent, number, , mountPoint, options = ""] = fields;
    const [type, source = ""] = fields.slice(separator + 1);
    if (separator < 6 || !source.startsWith("/dev/")) return [];
    const mode = options.split(",").includes("ro") ? "ro" : "rw";
    return [`${id} ${parent} ${number} / ${mountPoint} ${mode} - ${type} ${source} ${mode}\n`];
  });
  return lines.join("");
}

/** Whether p2pdma.c is there, and one symbol that every kernel has; without addresses, which are a secret. */
function keepSymbols(text: string): string {
  return keepLines(text, /^[0-9a-f]+ \w (?:_stext|pci_p2pdma_add_resource)$/).replace(/^[0-9a-f]+/gm, "0");
}

function keepOptions(text: string): string {
  return keepLines(text, new RegExp(`^(?:# )?CONFIG_\\w*(?:${OPTIONS.source})`));
}

function keepCompressedOptions(bytes: Uint8Array): Uint8Array {
  try {
    const options = { maxOutputLength: 16 * captureLimits.contentBytes };
    return gzipSync(keepOptions(gunzipSync(bytes, options).toString("utf8")));
  } catch {
    return bytes;
  }
}
