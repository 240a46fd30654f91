// SPDX-License-Identifier: MIT
import { isSince, milestones } from "../../pci/p2pdma-history.ts";
import { kernelName } from "../../topo/index.ts";
import type { Facts } from "../facts.ts";
import { type Check, fail, fix, pass, unknown } from "../finding.ts";

export const kernelVersion: Check = {
  id: "kernel-version",
  title: "the kernel lets programs map p2pmem",
  symptom: "no p2pmem/allocate in sysfs; mmap of /dev/nvmeX gives ENODEV",
  why: "only Linux 6.2 and later, or a tree with the character-device series, hands p2pmem to programs",
  examine: (facts) => {
    const { host } = facts.machine;
    const release = host.kernelRelease ?? kernelName(host.platform.kernel);
    const hasFile = allocatorKinds(facts).includes("sysfs");
    if (hasFile) return [pass(`Linux ${release} offers p2pmem/allocate`)];
    if (facts.live?.characterDeviceWorks) {
      return [pass(`Linux ${release} hands p2pmem out through the NVMe character device`)];
    }
    if (isSince(host.platform.kernel, milestones.userspace))
      return [pass(`Linux ${release} has p2pmem/allocate`)];
    const wanted = kernelName(milestones.userspace.since);
    return [
      fail(
        `Linux ${release} gives programs no p2pmem`,
        fix(`boot Linux ${wanted} or later, built with CONFIG_PCI_P2PDMA`),
        fix("or a kernel with the patches that map /dev/nvmeX: see kernel-series/README.md of this program"),
        fix("or go without: copy through system RAM", "p2pdma copy --via ram SOURCE DESTINATION"),
      ),
    ];
  },
};

/** What PCI_P2PDMA depends on; an absent one is why it is off. */
const DEPENDENCIES = ["ZONE_DEVICE", "MEMORY_HOTPLUG", "MEMORY_HOTREMOVE", "SPARSEMEM_VMEMMAP"];

export const kernelOption: Check = {
  id: "kernel-option",
  title: "the kernel is built with CONFIG_PCI_P2PDMA",
  symptom: 'a CMB in sysfs but no p2pmem folder, and no "added peer-to-peer DMA memory" in dmesg',
  why: "without it a CMB is used for queues at most, and never becomes p2pmem",
  examine: (facts) => {
    const { options, hasP2pdmaSymbol } = facts.system;
    if (facts.drives.pools.length > 0) return [pass("p2pmem is registered, so CONFIG_PCI_P2PDMA is on")];
    if (options?.values.get("PCI_P2PDMA") === "y") return [pass(`CONFIG_PCI_P2PDMA=y, by ${options.source}`)];
    if (options) return [optionIsOff(options.source, options.values)];
    if (hasP2pdmaSymbol) return [pass("the kernel has pci_p2pdma_add_resource(), by /proc/kallsyms")];
    if (hasP2pdmaSymbol === false)
      return [optionIsOff("/proc/kallsyms (no pci_p2pdma_add_resource())", new Map(), false)];
    return [
      unknown(
        `the kernel's configuration is neither in /proc/config.gz nor in /boot/config-${facts.machine.host.kernelRelease}`,
        fix(
          "look it up in the kernel's package, or load it from the module",
          "modprobe configs; zgrep PCI_P2PDMA /proc/config.gz",
        ),
      ),
    ];
  },
};

function optionIsOff(source: string, values: ReadonlyMap<string, string>, isKnown = true) {
  const missing = isKnown ? DEPENDENCIES.filter((option) => values.get(option) !== "y") : [];
  const needs =
    missing.length > 0 ? `, which needs ${missing.map((name) => `CONFIG_${name}`).join(", ")}` : "";
  return fail(
    `CONFIG_PCI_P2PDMA is off, by ${source}`,
    fix("boot a distribution's kernel that has it (Ubuntu 24.04's has, Debian 12's has not)"),
    fix(
      `or rebuild this one with it${needs}`,
      "./scripts/config -e ZONE_DEVICE -e MEMORY_HOTPLUG -e MEMORY_HOTREMOVE -e PCI_P2PDMA && make olddefconfig",
    ),
    fix("or try peer-to-peer in a virtual machine first", "p2pdma lab run -- p2pdma doctor"),
  );
}

function allocatorKinds({ drives }: Facts) {
  return drives.pools.flatMap(({ provider }) => provider.allocators.map(({ kind }) => kind));
}
