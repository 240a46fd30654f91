// SPDX-License-Identifier: MIT
// Copies for so many seconds a night: node stop-and-resume.js SECONDS SOURCE DESTINATION JOURNAL
import { existsSync } from "node:fs";
import { copy, P2pdmaError, resume } from "p2pdma";

const [seconds, source = "", destination = "", journal = ""] = process.argv.slice(2);
const night = { allowWrite: [destination], signal: AbortSignal.timeout(Number(seconds) * 1000) };

try {
  const receipt = existsSync(journal)
    ? await resume(journal, night)
    : await copy({ source, destination, journal, ...night });
  console.log(receipt ? `done: ${receipt.bytes.before} bytes were there, the rest is now` : "done before");
} catch (error) {
  if (!(error instanceof P2pdmaError) || error.code !== "INTERRUPTED") throw error;
  console.log(`${error.message}; tomorrow it goes on from ${error.journal}`);
}
