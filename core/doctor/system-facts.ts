// SPDX-License-Identifier: MIT
import type { Bdf } from "../pci/bdf.ts";
import type { PciTree } from "../pci/tree.ts";
import type { SystemView } from "../sysfs.ts";
import { hasP2pdmaSymbol, type KernelOptions, readKernelOptions } from "./kernel-options.ts";

export type Lockdown = "none" | "integrity" | "confidentiality";

/** What of the system, rather than of a device, decides. Undefined where it can't be seen. */
export interface SystemFacts {
  readonly options: KernelOptions | undefined;
  /** Asked only where there are no options to read. */
  readonly hasP2pdmaSymbol: boolean | undefined;
  readonly architecture: "x86" | "arm" | undefined;
  readonly commandLine: readonly string[];
  /** Parameter nvme.use_cmb_sqes */
  readonly usesCmbQueues: boolean | undefined;
  /** Parameter nvme_core.multipath */
  readonly usesMultipath: boolean | undefined;
  /** 0 allowed, 1 for a group only, 2 for nobody. */
  readonly ioUringDisabled: number | undefined;
  readonly mayAdminister: boolean | undefined;
  /** RLIMIT_MEMLOCK in bytes, or `unlimited`. */
  readonly lockedMemory: string | undefined;
  readonly lockdown: Lockdown | undefined;
  /** What the firmware calls a virtual machine; undefined on hardware. */
  readonly virtualMachine: string | undefined;
  readonly isXen: boolean;
  /** `dmar0`, `ivhd0`, `smmu3.0x...` */
  readonly iommuUnits: readonly string[];
  /** `DMA`, `DMA-FQ`, `identity`; by function. */
  readonly iommuDomains: ReadonlyMap<Bdf, string>;
}

const CAP_SYS_ADMIN = 21n;

export function readSystemFacts(view: SystemView, tree: PciTree): SystemFacts {
  const options = readKernelOptions(view);
  const disabled = view.integer("/proc/sys/kernel/io_uring_disabled");
  return {
    options,
    hasP2pdmaSymbol: options ? undefined : hasP2pdmaSymbol(view),
    architecture: readArchitecture(view),
    commandLine: (view.text("/proc/cmdline") ?? "").split(/\s+/).filter(Boolean),
    usesCmbQueues: readSwitch(view, "nvme", "use_cmb_sqes"),
    usesMultipath: readSwitch(view, "nvme_core", "multipath"),
    ioUringDisabled: disabled === undefined ? undefined : Number(disabled),
    mayAdminister: readCapability(view),
    lockedMemory: /^Max locked memory\s+(\S+)/m.exec(view.text("/proc/self/limits") ?? "")?.[1],
    lockdown: readLockdown(view),
    virtualMachine: readVirtualMachine(view),
    isXen: view.text("/sys/hypervisor/type") === "xen",
    iommuUnits: view.list("/sys/class/iommu"),
    iommuDomains: readDomains(view, tree),
  };
}

/** The fields that only one architecture's kernel writes; mainframes have a vendor, too. */
function readArchitecture(view: SystemView): SystemFacts["architecture"] {
  const cpu = view.text("/proc/cpuinfo") ?? "";
  if (/^vendor_id\s*: (?!IBM)/m.test(cpu)) return "x86";
  return /^CPU implementer\s*:/m.test(cpu) ? "arm" : undefined;
}

function readSwitch(view: SystemView, module: string, parameter: string): boolean | undefined {
  const text = view.text(`/sys/module/${module}/parameters/${parameter}`);
  return text === undefined ? undefined : /^[Yy1]/.test(text);
}

function readCapability(view: SystemView): boolean | undefined {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(view.text("/proc/self/status") ?? "")?.[1];
  return effective === undefined ? undefined : ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
}

/** `none [integrity] confidentiality` */
function readLockdown(view: SystemView): Lockdown | undefined {
  const text = view.text("/sys/kernel/security/lockdown");
  return /\[(none|integrity|confidentiality)\]/.exec(text ?? "")?.[1] as Lockdown | undefined;
}

/** Names that firmware gives to machines without hardware; the CPU's flag is x86's only. */
const VIRTUAL_VENDORS = /QEMU|VMware|innotek|Xen|KubeVirt|OpenStack|Google|Amazon EC2|Virtual Machine|Bochs/;

function readVirtualMachine(view: SystemView): string | undefined {
  const [vendor, product] = ["sys_vendor", "product_name"].map((file) => dmi(view, file));
  const name = [vendor, product].filter(Boolean).join(" ");
  const hasFlag = /^flags\s*:.*\bhypervisor\b/m.test(view.text("/proc/cpuinfo") ?? "");
  if (hasFlag) return name || "of an unknown kind";
  return readArchitecture(view) !== "x86" && VIRTUAL_VENDORS.test(name) ? name : undefined;
}

function dmi(view: SystemView, file: string): string | undefined {
  return view.text(`/sys/class/dmi/id/${file}`)?.trim();
}

function readDomains(view: SystemView, tree: PciTree): Map<Bdf, string> {
  const domains = new Map<Bdf, string>();
  for (const { bdf, iommuGroup } of tree.functions.values()) {
    const type = iommuGroup && view.text(`/sys/kernel/iommu_groups/${iommuGroup}/type`);
    if (type) domains.set(bdf, type);
  }
  return domains;
}
