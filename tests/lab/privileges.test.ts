// SPDX-License-Identifier: MIT
import { test } from "uvu";
import { guestProgram, registerChecks, runInLab } from "./boot.ts";

registerChecks(await runInLab({ topology: "switch", command: guestProgram("privilege-cases") }), 13);

test.run();
