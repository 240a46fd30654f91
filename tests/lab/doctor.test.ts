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

registerChecks(await runInLab({ topology: "switch", command: guestProgram("doctor-switch") }), 14);
registerChecks(
  await runInLab({ topology: odd, qemuArgs: multipath, command: guestProgram("doctor-acs") }),
  8,
);
registerChecks(await runInLab({ topology: "root-ports", command: guestProgram("doctor-root-ports") }), 6);

test.run();
