// SPDX-License-Identifier: MIT
import { test } from "uvu";
import { guestProgram, registerChecks, runInLab } from "./boot.ts";

const result = await runInLab({ topology: "switch", command: guestProgram("copy-matrix"), stdio: "capture" });
registerChecks(result, 70);

test.run();
