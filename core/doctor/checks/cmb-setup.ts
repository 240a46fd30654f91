// SPDX-License-Identifier: MIT

import { isAtLeast } from "../../pci/p2pdma-history.ts";
import type { Facts } from "../facts.ts";
import { type Check, failUnless, fix, pass } from "../finding.ts";
import { driveName, hasOther, isAligned, isLoggedFailure, isOptionOff, judgeEach } from "./cmb-kit.ts";

export const cmbEnabled: Check = {
  id: "cmb-enabled",
  title: "an NVMe 1.4 CMB has been enabled by the driver",
  symptom: "CMBSZ reads 0 although CAP.CMBS says that there is a CMB",
  why: "since NVMe 1.4 the host has to enable the CMB, and drivers before Linux 5.12 do not know how",
  examine: (facts) =>
    judgeEach(facts, (report) => {
      const { state, isHostEnabled } = report.cmb;
      if (state !== "disabled" && state !== "unmapped")
        return isHostEnabled ? pass(`${driveName(report)}: CMB enabled`) : undefined;
      if (report.window || isLoggedFailure(facts, report) || isOptionOff(facts)) return undefined;
      const isOld = !isAtLeast(facts.machine.host.platform.kernel, 5, 12);
      return failUnless(
        hasOther(facts, report),
        `${driveName(report)}: it has a CMB (CAP.CMBS), but it is not enabled: CMBSZ reads 0`,
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
      if (report.p2pmem) return pass(`${driveName(report)}: CMB registered as p2pmem`);
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
        `${driveName(report)}: ${what}`,
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
