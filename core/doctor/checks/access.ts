// SPDX-License-Identifier: MIT
import type { Facts } from "../facts.ts";
import {
  type Check,
  type Finding,
  fail,
  failUnless,
  fix,
  listWords,
  pass,
  unknown,
  warn,
} from "../finding.ts";
import { nameOf, viewPaths } from "../paths.ts";
import { refusedByHostBridge } from "./path.ts";

export const nvmeDriver: Check = {
  id: "nvme-driver",
  title: "the kernel's NVMe driver has the drives, and they live",
  symptom: "no /dev/nvmeX; the drive only shows in lspci",
  why: "p2pmem is registered, and O_DIRECT works, through the kernel's own driver: not through vfio or uio",
  examine: ({ drives, ends, live }) => {
    const strays = drives.strays.map(({ bdf, driver }) => ({ bdf, driver }));
    const dead = drives.controllers.filter(({ state }) => state !== "live");
    const isWanted = (bdf: string | undefined) =>
      ends !== undefined && [ends.source, ends.destination].some(({ device }) => device?.bdf === bdf);
    const isSpare = (bdf: string | undefined) =>
      drives.controllers.length - dead.length > 0 && !isWanted(bdf);
    const findings = [
      ...strays.map(({ bdf, driver }) => judgeStray(isSpare(bdf), bdf, driver)),
      ...dead.map((one) =>
        failUnless(
          isSpare(one.bdf),
          `${one.name} is in state "${one.state}"`,
          fix("see why, then reset it", `dmesg | grep ${one.name}`, `nvme reset /dev/${one.name}`),
        ),
      ),
    ];
    if (findings.length > 0) return findings;
    if (drives.controllers.length === 0)
      return [
        fail(
          "there is no NVMe controller",
          fix("load the driver, or look whether the drives are there", "modprobe nvme; lspci -nn -d ::0108"),
          ...(live
            ? [fix("or try peer-to-peer in a virtual machine first", "p2pdma lab run -- p2pdma doctor")]
            : []),
        ),
      ];
    return [pass(`${listWords(drives.controllers.map(({ name }) => name))}: live`)];
  },
};

function judgeStray(isSpare: boolean, bdf: string, driver: string | undefined): Finding {
  const release = driver ? [`echo ${bdf} > /sys/bus/pci/drivers/${driver}/unbind`] : [];
  return failUnless(
    isSpare,
    `NVMe drive ${bdf} is ${driver ? `bound to ${driver}` : "bound to no driver"}`,
    fix("give it to the kernel's driver", ...release, `echo ${bdf} > /sys/bus/pci/drivers/nvme/bind`),
  );
}

export const longTermPins: Check = {
  id: "long-term-pins",
  title: "nobody pins p2pmem for long",
  symptom: "io_uring_register_buffers gives EFAULT, an RDMA memory region EREMOTEIO",
  why: "the kernel refuses long-term pins of p2pmem: no io_uring fixed buffers, no RDMA memory regions",
  examine: ({ system }) => {
    const limit = system.lockedMemory ? ` (limit ${system.lockedMemory}, for RAM buffers only)` : "";
    return [
      pass(
        `p2pdma takes ordinary requests, and so needs no locked memory${limit}; do the same in programs of your own`,
      ),
    ];
  },
};

export const ioUring: Check = {
  id: "io-uring",
  title: "io_uring is allowed",
  symptom: "io_uring_setup gives EPERM or ENOSYS",
  why: "the fast engine needs it; the sync engine moves the same data one chunk at a time",
  examine: ({ system }) => {
    const { ioUringDisabled, options, mayAdminister } = system;
    const sync = fix("or use the engine that does without", "p2pdma copy --engine sync ...");
    if (options?.values.get("IO_URING") === "n")
      return [warn("the kernel is built without CONFIG_IO_URING", sync)];
    const isClosed = ioUringDisabled === 2 || (ioUringDisabled === 1 && mayAdminister === false);
    if (!isClosed) return [pass("io_uring is allowed")];
    const who = ioUringDisabled === 2 ? "everybody" : "all but root and one group";
    return [
      warn(
        `io_uring is forbidden to ${who} (kernel.io_uring_disabled=${ioUringDisabled})`,
        fix("allow it", "sysctl kernel.io_uring_disabled=0"),
        sync,
      ),
    ];
  },
};

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
    if (mode === undefined || mode === "none") return [pass("kernel lockdown is off")];
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

export const providerRemoval: Check = {
  id: "provider-removal",
  title: "no removal of a provider hangs",
  symptom: "a task stuck in memunmap_pages after unbind, remove or hot-unplug",
  why: "before Linux 7.0 (6.19 with stable updates, 6220694c52a5) a mapping that failed half-way keeps its provider for ever",
  examine: ({ live }) => {
    if (!live) return [];
    if (live.stuck.length === 0) return [pass("no task waits for p2pmem to be given back")];
    const tasks = listWords(live.stuck.map(({ pid, command }) => `${command} (${pid})`));
    return [
      warn(
        `${tasks} waits for p2pmem that is still in use`,
        fix("end the programs that have it mapped", "grep -l p2pmem /proc/[0-9]*/maps"),
        fix(
          "if there is none, only a reboot helps; then update to Linux 7.0, or a stable kernel with 6220694c52a5, and unbind providers only when nothing is mapped",
        ),
      ),
    ];
  },
};
