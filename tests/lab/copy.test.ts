// SPDX-License-Identifier: MIT
// Every way a copy can go, with memory from sysfs; chardev.test.ts does the same with the character device.
import { test } from "uvu";
import { guestProgram, registerChecks, runInLab } from "./boot.ts";

const command = [...guestProgram("copy-matrix"), "sysfs", "chardev"];
registerChecks(await runInLab({ topology: "switch", command }), 54);

test.run();
