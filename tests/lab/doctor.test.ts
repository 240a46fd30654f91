// SPDX-License-Identifier: MIT
// What doctor says of machines that are healthy, broken, and mended by what it says.
import { test } from "uvu";
import { acsSwitch, drive, rootPort, topology } from "../../lab/topology.ts";
import { guestProgram, registerChecks, runInLab } from "./boot.ts";

/** Below one switch whose ports have ACS: A and B, with blocks of two sizes, and two CMBs that are too small. */
const odd = topology({
  name: "doctor",
  summary: "drives that are odd in one way each",
  pci: [
    rootPort(
      acsSwitch(
        drive("A", { cmbMiB: 64 }),
        drive("B", { lbaBytes: 4096 }),
        drive("C", { cmbMiB: 1 }),
        drive("D", { cmbMiB: 2 }),
      ),
    ),
  ],
});

/** A controller that may have siblings: the kernel then puts a multipath head above its namespace. */
const multipath = [
  ...["-device", "pcie-root-port,id=mproot,bus=pcie.0,addr=0x1c,chassis=40,slot=40"],
  ...["-device", "nvme-subsys,id=mpsubsys,nqn=doctor"],
  ...["-device", "nvme,id=mp,bus=mproot,serial=MULTIPATH,subsys=mpsubsys"],
  ...["-blockdev", "driver=null-co,node-name=mpdisk,size=1073741824,read-zeroes=on"],
  ...["-device", "nvme-ns,drive=mpdisk,bus=mp,nsid=1"],
];

/** Answers after four seconds, when nobody listens any more. */
const slow = [
  ...["-device", "pcie-root-port,id=slowroot,bus=pcie.0,addr=0x1d,chassis=41,slot=41"],
  ...["-blockdev", "driver=null-co,node-name=slowdisk,size=1073741824,read-zeroes=on,latency-ns=4000000000"],
  ...["-device", "nvme,id=slow,bus=slowroot,serial=SLOW,drive=slowdisk,cmb_size_mb=4"],
];

registerChecks(await runInLab({ topology: "switch", command: guestProgram("doctor-switch") }), 14);
registerChecks(
  await runInLab({ topology: odd, qemuArgs: [...multipath, ...slow], command: guestProgram("doctor-acs") }),
  9,
);
registerChecks(await runInLab({ topology: "root-ports", command: guestProgram("doctor-root-ports") }), 6);

test.run();
