import { formatBytes } from "../../units.ts";
import { type Check, fail, failUnless, fix, listWords, pass } from "../finding.ts";
import { hasOtherMemory } from "../paths.ts";
import { driveName, GRAIN_BYTES, hasOther, judgeEach, OTHER_PROVIDER } from "./cmb-kit.ts";

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
      return [pass(`${listWords(found.map(driveName))} has a CMB, though none of it is p2pmem`)];
    const hidden = cmbs.filter(({ cmb }) => cmb.state === "unknown");
    const doubt =
      hidden.length > 0
        ? ` (registers of ${listWords(hidden.map(driveName))} not read: ${hidden[0]?.read.problem})`
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
      if (missing.length === 0) return pass(`${driveName(report)}: CMBSZ has RDS and WDS`);
      return failUnless(
        hasOtherMemory(facts, report.bdf),
        `${driveName(report)}: CMBSZ lacks ${missing.join(" and ")}, so its CMB is not for data`,
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
      if (p2pmem) return pass(`${driveName(report)}: the kernel took it as it is`);
      const size = window.end - window.start;
      const crooked = [
        ...(size % GRAIN_BYTES === 0n ? [] : [`its size is ${formatBytes(size)}`]),
        ...(window.resource.start % GRAIN_BYTES === 0n
          ? []
          : [`BAR ${cmb.location.bar} starts at 0x${window.resource.start.toString(16)}`]),
      ];
      if (crooked.length === 0)
        return pass(`${driveName(report)}: CMB of ${formatBytes(size)} lies on 2 MiB`);
      return failUnless(
        hasOther(facts, report),
        `${driveName(report)}: ${crooked.join(" and ")}, no multiple of 2 MiB`,
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
