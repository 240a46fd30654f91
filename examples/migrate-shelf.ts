// SPDX-License-Identifier: MIT
// Moves every drive of a shelf to its new one, each verified: node migrate-shelf.js SOURCE=DESTINATION...
import { copy, P2pdmaError } from "p2pdma";

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

for (const pair of process.argv.slice(2)) {
  const [source = "", destination = ""] = pair.split("=");
  try {
    const run = copy({ source, destination, verify: true, allowWrite: [destination], signal: stop.signal });
    const { lengthBytes, route, verification } = await run;
    console.log(`${pair}: ${lengthBytes} bytes by ${route.via}, verified by ${verification?.method}`);
  } catch (error) {
    if (!(error instanceof P2pdmaError)) throw error;
    console.error(`${pair}: ${error.message}`);
    if (error.journal) console.error(`to go on: p2pdma resume --allow-write=${destination} ${error.journal}`);
    process.exitCode = error.exitCode;
    break;
  }
}
