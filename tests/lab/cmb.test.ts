// SPDX-License-Identifier: MIT
import { test } from "uvu";
import { guestProgram, registerChecks, runInLab } from "./boot.ts";

/** A drive on the root bus, away from the switch: the kernel refuses it the memory of the others. */
const stranger = [
  ...["-blockdev", "driver=null-co,node-name=stranger,size=1073741824,read-zeroes=on"],
  ...["-device", "nvme,serial=STRANGER,drive=stranger,bus=pcie.0,addr=0x1e,cmb_size_mb=16"],
];

const command = guestProgram("cmb-cases");
const result = await runInLab({ topology: "switch", qemuArgs: stranger, command, timeoutMs: 180_000 });
registerChecks(result, 22);

test.run();
