// SPDX-License-Identifier: MIT
import { test } from "uvu";
import { guestProgram, registerChecks, runInLab } from "./boot.ts";

/** A drive on the root bus, away from the switch, with a CMB as it was before NVMe 1.4. */
const legacyDrive = [
  ...["-blockdev", "driver=null-co,node-name=legacy,size=1073741824,read-zeroes=on"],
  ...["-device", "nvme,serial=LEGACY,drive=legacy,bus=pcie.0,addr=0x1e,cmb_size_mb=16,legacy-cmb=on"],
];

const command = guestProgram("cmb-cases");
registerChecks(await runInLab({ topology: "switch", qemuArgs: legacyDrive, command }), 20);

test.run();
