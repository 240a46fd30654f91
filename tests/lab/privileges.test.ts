// SPDX-License-Identifier: MIT
import { test } from "uvu";
import { guestProgram, registerChecks, runInLab } from "./boot.ts";

registerChecks(await runInLab({ topology: "switch", command: guestProgram("privilege-cases") }), 14);

test.run();
