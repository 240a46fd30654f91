// SPDX-License-Identifier: MIT
import type { CmbReport } from "../../nvme/cmb-report.ts";
import { isAtLeast } from "../../pci/p2pdma-history.ts";
import { formatBytes } from "../../units.ts";
import type { Facts } from "../facts.ts";
import { type Check, type Finding, fail, failUnless, fix, listWords, pass } from "../finding.ts";

/** Granularity of device memory (SUBSECTION_SIZE). */
const GRAIN_BYTES = 2n << 20n;

const OTHER_PROVIDER = fix(
  "use another provider: any CMB below the same switch serves, it need not be the source's or the destination's",
  "p2pdma topo",
);

export const cmbPresent: Check = {
  id: "cmb-present",
  title: "some device lends memory",
  symptom: "no cmbsz in /sys/class/nvme/nvmeX, no p2pmem folder at any device",
  why: "peer-to-peer needs memory on a PCI device: a drive's Controller Memory Buffer, or a BAR that a driver publishes",
  examine: ({ drives }) => {
    const { pools, cmbs } = drives;
    if (pools.length > 0) {
      const names = pools.map(({ provider }) => `${provider.name} (${formatBytes(provider.sizeBytes)})`);
      return [pass(`p2pmem: ${listWords(names)}`)];
    }
    const found = cmbs.filter(({ cmb }) => cmb.location !== undefined || cmb.state === "disabled");
    if (found.length > 0)
      return [pass(`${listWords(found.map(nameOf))} has a CMB, though none of it is p2pmem`)];
    const hidden = cmbs.filter(({ cmb }) => cmb.state === "unknown");
    const doubt =
      hidden.length > 0
        ? ` (registers of ${listWords(hidden.map(nameOf))} not read: ${doubtOf(hidden)})`
        : "";
    return [
      fail(
        `no device lends memory: ${cmbs.length === 0 ? "there is no PCI NVMe drive" : `none of ${cmbs.length} NVMe drives shows a CMB`}${doubt}`,
        fix("add one drive with a CMB to the switch, or publish a BAR (FPGA, NVRAM card) as p2pmem"),
        fix("or try peer-to-peer in a virtual machine first", "p2pdma lab run -- p2pdma doctor"),
        fix("or copy through system RAM", "p2pdma copy --via ram SOURCE DESTINATION"),
      ),
    ];
  },
};

export const cmbData: Check = {
  id: "cmb-data",
  title: "the CMB takes data of reads and of writes (RDS, WDS)",
  symptom: "published = 0; mmap works, I/O fails with EIO (NVMe status Invalid Use of CMB)",
  why: "a CMB may be for queues only: then the drive refuses commands whose data lie in it",
  examine: (facts) =>
    judgeEach(facts, (report) => {
      const { supports } = report.cmb;
      if (!supports) return undefined;
      const missing = [supports.readData ? [] : ["RDS"], supports.writeData ? [] : ["WDS"]].flat();
      if (missing.length === 0) return pass(`${nameOf(report)}: CMBSZ has RDS and WDS`);
      return failUnless(
        hasOther(facts, report),
        `${nameOf(report)}: CMBSZ lacks ${missing.join(" and ")}, so its CMB is not for data`,
        OTHER_PROVIDER,
      );
    }),
};

export const cmbAligned: Check = {
  id: "cmb-aligned",
  title: "size and place of the CMB are multiples of 2 MiB",
  symptom: "no p2pmem folder, and no message at all",
  why: "the kernel can only map device memory in pieces of 2 MiB, and leaves any other CMB out in silence",
  examine: (facts) =>
    judgeEach(facts, (report) => {
      const { window, cmb, p2pmem } = report;
      if (!window || !cmb.location) return undefined;
      if (p2pmem) return pass(`${nameOf(report)}: the kernel took it as it is`);
      const size = window.end - window.start;
      const crooked = [
        ...(size % GRAIN_BYTES === 0n ? [] : [`its size is ${formatBytes(size)}`]),
        ...(window.resource.start % GRAIN_BYTES === 0n
          ? []
          : [`BAR ${cmb.location.bar} starts at 0x${window.resource.start.toString(16)}`]),
      ];
      if (crooked.length === 0) return pass(`${nameOf(report)}: CMB of ${formatBytes(size)} lies on 2 MiB`);
      return failUnless(
        hasOther(facts, report),
        `${nameOf(report)}: ${crooked.join(" and ")}, no multiple of 2 MiB`,
        fix(
          "ask the drive's vendor for firmware with a CMB of whole 2 MiB; in QEMU give cmb_size_mb an even number",
        ),
        fix(
          "where only the BAR starts crookedly, have the kernel place BARs anew: kernel parameter",
          "pci=realloc",
        ),
        OTHER_PROVIDER,
      );
    }),
};

export const cmbEnabled: Check = {
  id: "cmb-enabled",
  title: "an NVMe 1.4 CMB has been enabled by the driver",
  symptom: "CMBSZ reads 0 although CAP.CMBS says that there is a CMB",
  why: "since NVMe 1.4 the host has to enable the CMB, and drivers before Linux 5.12 do not know how",
  examine: (facts) =>
    judgeEach(facts, (report) => {
      const { state, isHostEnabled } = report.cmb;
      if (state !== "disabled" && state !== "unmapped")
        return isHostEnabled ? pass(`${nameOf(report)}: CMB enabled`) : undefined;
      if (report.window || isLoggedFailure(facts, report) || isOptionOff(facts)) return undefined;
      const isOld = !isAtLeast(facts.machine.host.platform.kernel, 5, 12);
      return failUnless(
        hasOther(facts, report),
        `${nameOf(report)}: it has a CMB (CAP.CMBS), but it is not enabled: CMBSZ reads 0`,
        isOld
          ? fix("boot Linux 5.12 or later, or one with 20d3bb92e84d; in QEMU legacy-cmb=on avoids it")
          : fix(
              "the driver gave up on it, or has not got the drive: see what it says",
              "dmesg | grep -iE 'cmb|nvme'",
            ),
      );
    }),
};

export const cmbRegistered: Check = {
  id: "cmb-registered",
  title: "the kernel could register the CMB as p2pmem",
  symptom: '"nvme nvmeX: failed to register the CMB" in dmesg, at times with a WARN in add_pages',
  why: "the CMB's BAR needs an address that the kernel can add memory at",
  examine: (facts) =>
    judgeEach(facts, (report) => {
      if (report.p2pmem) return pass(`${nameOf(report)}: CMB registered as p2pmem`);
      if (isOptionOff(facts)) return undefined;
      const { location } = report.cmb;
      const isUnplaced = location !== undefined && report.window === undefined;
      const isUnexplained = report.window !== undefined && isAligned(report);
      if (!isUnplaced && !isLoggedFailure(facts, report) && !isUnexplained) return undefined;
      if (isUnplaced && !report.controller) return undefined;
      const what = isUnplaced
        ? `BAR ${location.bar}, which holds the CMB, has no address`
        : "the kernel could not register the CMB as p2pmem";
      return failUnless(
        hasOther(facts, report),
        `${nameOf(report)}: ${what}`,
        ...placeFixes(facts, isUnplaced),
      );
    }),
};

function placeFixes({ machine, system }: Facts, isUnplaced: boolean) {
  const { kernel } = machine.host.platform;
  const firmware = fix(
    'in the firmware\'s setup switch on "Above 4G Decoding" (and "Resizable BAR" if offered); if that does not help, add the kernel parameter',
    "pci=realloc",
  );
  if (isUnplaced) return [firmware];
  const isRandom = system.options?.values.get("RANDOMIZE_MEMORY") === "y" && !isAtLeast(kernel, 6, 15);
  const hasRandom = isRandom && !system.commandLine.includes("nokaslr");
  return [
    ...(hasRandom
      ? [fix("kernels before 6.15 can place RAM so that no room is left: boot with", "nokaslr")]
      : []),
    fix("see what the kernel says, and where the BAR is", "dmesg | grep -iE 'cmb|p2p|hotplug|add_pages'"),
    firmware,
  ];
}

export const cmbChecks = [cmbPresent, cmbData, cmbAligned, cmbEnabled, cmbRegistered];

type Judge = (report: CmbReport) => Finding | undefined;

function judgeEach({ drives }: Facts, judge: Judge) {
  return drives.cmbs.flatMap((report) => judge(report) ?? []);
}

function hasOther({ drives }: Facts, { bdf }: CmbReport): boolean {
  return drives.pools.some(({ provider }) => provider.bdf !== bdf);
}

function isAligned({ window }: CmbReport): boolean {
  return (
    window !== undefined &&
    [window.end - window.start, window.resource.start].every((at) => at % GRAIN_BYTES === 0n)
  );
}

/** Then that is the cause, and what follows from it needs no line of its own. */
function isOptionOff({ system }: Facts): boolean {
  return system.options ? system.options.values.get("PCI_P2PDMA") !== "y" : system.hasP2pdmaSymbol === false;
}

function isLoggedFailure({ live }: Facts, { controller }: CmbReport): boolean {
  return controller !== undefined && (live?.log?.unregistered.includes(controller.name) ?? false);
}

function nameOf({ controller, bdf }: CmbReport): string {
  return controller?.name ?? bdf;
}

function doubtOf(reports: readonly CmbReport[]): string {
  return reports[0]?.read.problem ?? "unknown";
}
