// SPDX-License-Identifier: MIT
// A verifier of one's own: random places of two drives, compared by the second drive itself with what the first one
// wrote into p2pmem. No byte of them passes through RAM. node spot-check.js SOURCE DESTINATION PROVIDER COUNT
import { randomInt } from "node:crypto";
import { allocate, open } from "p2pdma";

const [from = "", to = "", provider = "", count = "64"] = process.argv.slice(2);
using source = open(from);
using destination = open(to);
using buffer = allocate(provider, 64n << 10n);

const places = Number(source.sizeBytes / buffer.sizeBytes);
let differing = 0;
for (let i = 0; i < Number(count); i++) {
  const offset = BigInt(randomInt(places)) * buffer.sizeBytes;
  await source.read(buffer, { offset });
  const { equal, firstDifference } = await destination.compare(buffer, { offset });
  if (equal) continue;
  differing++;
  console.log(`differs at byte ${firstDifference}`);
}
console.log(`${count} places of ${buffer.sizeBytes} bytes compared, ${differing} differ`);
process.exitCode = differing > 0 ? 4 : 0;
