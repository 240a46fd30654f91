// SPDX-License-Identifier: MIT
import type { Facts } from "../facts.ts";
import { type Check, type Finding, fix, listWords, pass, unknown, warn } from "../finding.ts";
import { nameOf, viewPaths } from "../paths.ts";
import { refusedByHostBridge } from "./path.ts";

export const iommu: Check = {
  id: "iommu",
  title: "the IOMMU's code can map p2pmem, and lets it through",
  symptom: "EREMOTEIO; or DMAR or AMD-Vi IO_PAGE_FAULT in dmesg and NVMe timeouts",
  why: "only dma-direct and dma-iommu know how to map p2pmem, and a fault stops the transfer midway",
  examine: (facts) => {
    const { machine, system, live } = facts;
    const devices = new Set(machine.devices.map(({ bdf }) => bdf));
    const faults = live?.log?.faults.filter((bdf) => devices.has(bdf)) ?? [];
    if (faults.length > 0) {
      return [
        warn(
          `the IOMMU has stopped DMA of ${listWords(faults.map((bdf) => nameOf(machine, bdf)))}`,
          fix("as a test, boot with devices mapped one to one: kernel parameter", "iommu=pt"),
          fix(
            "or keep provider and client below one switch without redirection: the IOMMU then does not see their traffic",
          ),
        ),
      ];
    }
    return [judgeIommu(facts, system)];
  },
};

function judgeIommu({ machine, drives }: Facts, system: Facts["system"]): Finding {
  if (system.isXen) {
    return unknown(
      "below Xen DMA goes through swiotlb-xen, which does not map p2pmem in PV domains",
      fix("boot without Xen, or try it", "p2pdma doctor --probe"),
    );
  }
  if (system.iommuUnits.length === 0 && system.iommuDomains.size === 0) return pass("no IOMMU is in use");
  const types = [...new Set(machine.devices.flatMap(({ bdf }) => system.iommuDomains.get(bdf) ?? []))];
  const words = `IOMMU ${listWords(system.iommuUnits, 2) || "on"}${types.length > 0 ? `, domains ${listWords(types)}` : ""}`;
  if (system.architecture !== undefined || drives.pools.length === 0)
    return pass(`${words}: mapped by dma-iommu`);
  return unknown(
    `${words}: this architecture has DMA code of its own`,
    fix("try it", "p2pdma doctor --probe"),
    fix("or boot with the IOMMU off as a test: kernel parameter", "iommu=off"),
  );
}

export const lockdown: Check = {
  id: "lockdown",
  title: "kernel lockdown is not in the way",
  symptom: "setpci has no effect, BARs can't be mapped (EPERM)",
  why: "lockdown, which Secure Boot usually switches on, forbids writing config space: ACS then is a matter of kernel parameters only",
  examine: (facts) => {
    const { lockdown: mode } = facts.system;
    if (mode === undefined) return [pass("no kernel lockdown is shown")];
    if (mode === "none") return [pass("kernel lockdown is off")];
    const isNeeded = viewPaths(facts).verdicts.some(({ rule }) => rule === "acs-redirect");
    if (!isNeeded) return [pass(`kernel lockdown (${mode}): peer-to-peer does not need what it forbids`)];
    return [
      warn(
        `kernel lockdown (${mode}): setpci can't change ACS`,
        fix("use the kernel parameter that acs-redirect names"),
        fix("or switch Secure Boot off in the firmware's setup"),
      ),
    ];
  },
};

export const virtualMachine: Check = {
  id: "virtual-machine",
  title: "a virtual machine has its drives below one switch",
  symptom: "as with host-bridge: EREMOTEIO or EINVAL at the first I/O",
  why: "a virtual machine's host bridge is on nobody's list, so its drives need a switch above them",
  examine: (facts) => {
    const { virtualMachine: name } = facts.system;
    if (name === undefined) return [];
    if (refusedByHostBridge(viewPaths(facts)).length === 0)
      return [pass(`virtual machine (${name}), with a topology that serves`)];
    return [
      warn(
        `this is a virtual machine (${name}), and its drives are not below one switch`,
        fix(
          "in QEMU give it one, and plug the drives in below: add to its command line",
          "-device pcie-root-port,id=rp,chassis=1,slot=1 -device x3130-upstream,id=up,bus=rp",
          "-device xio3130-downstream,id=dn0,bus=up,chassis=2,slot=2 -device nvme,drive=d0,serial=A,bus=dn0,cmb_size_mb=64",
          "-device xio3130-downstream,id=dn1,bus=up,chassis=3,slot=3 -device nvme,drive=d1,serial=B,bus=dn1",
        ),
        fix("or take a machine that has it already", "p2pdma lab run --topology switch -- p2pdma doctor"),
      ),
    ];
  },
};
