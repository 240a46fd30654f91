// SPDX-License-Identifier: MIT
// One copy that tells how it gets on: node copy-with-progress.js SOURCE DESTINATION
import { copy } from "p2pdma";

const [source = "", destination = ""] = process.argv.slice(2);
const run = copy({ source, destination, via: "p2p", allowWrite: [destination] });

for await (const event of run) {
  if (event.event === "route") console.log(`through ${event.provider}: ${event.reason}`);
  if (event.event === "progress") console.log(`${event.bytesDone} of ${event.bytesTotal} bytes`);
  if (event.event === "warning") console.error(event.message);
}

const { bytes, staging } = await run;
console.log(`${bytes.peerToPeer} bytes peer-to-peer, ${bytes.throughRam} through RAM; ${staging.residency}`);
