import { type Check, type Finding, fail, failUnless, fix, listWords, pass } from "../finding.ts";

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
