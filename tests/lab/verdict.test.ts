// SPDX-License-Identifier: MIT
// What the kernel refuses, p2pdma refuses before anything is written; what it allows through the host bridge works.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { p2pdma, runInLab } from "./boot.ts";

const copy = `${p2pdma.join(" ")} copy --length 1M --allow-write`;
const hash = "dd if=/dev/nvme1n1 bs=1M count=1 iflag=direct status=none | sha256sum";
const script = `
dd if=/dev/urandom of=/dev/nvme0n1 bs=1M count=1 oflag=direct status=none
dd if=/dev/urandom of=/dev/nvme1n1 bs=1M count=1 oflag=direct status=none
${hash}; ${copy} --via p2p --verify /dev/nvme0n1 /dev/nvme1n1; echo "exit $?"; ${hash}
${copy} --via auto --json --verify /dev/nvme0n1 /dev/nvme1n1; echo "exit $?"`;

const [refused, allowed] = [await run("root-ports"), await run("root-ports-zen")];

async function run(topology: string) {
  const { stdout, stderr } = await runInLab({ topology, command: ["bash", "-c", script] });
  const [before, middle = "", after] = split(stdout);
  const receipt = JSON.parse(/^\{[\s\S]*^\}/m.exec(stdout)?.[0] ?? "{}");
  const exits = [...stdout.matchAll(/^exit (\d+)$/gm)].map(([, code]) => Number(code));
  return { before, middle, after, receipt, exits, stderr };
}

function split(stdout: string): (string | undefined)[] {
  const hashes = [...stdout.matchAll(/^([0-9a-f]{64}) {2}-$/gm)].map(([, digest]) => digest);
  return [hashes[0], stdout, hashes[1]];
}

test("root-ports: --via p2p exits 3, names both devices and the reason, and has written nothing", () => {
  assert.is(refused.exits[0], 3);
  assert.match(refused.stderr, /"\/dev\/nvme0n1" to "\/dev\/nvme1n1"/);
  assert.match(
    refused.stderr,
    /refuses DMA between 0000:0\d:00\.0 .* p2pmem of 0000:0\d:00\.0 .*(EREMOTEIO|EINVAL)/,
  );
  assert.ok(refused.before && refused.before === refused.after);
});

test("root-ports: --via auto takes RAM and says so", () => {
  assert.is(refused.exits[1], 0);
  assert.is(refused.receipt.route.via, "ram");
  assert.is(refused.receipt.bytes.peerToPeer, "0");
  assert.ok(refused.receipt.verification.equal);
  assert.match(refused.stderr, /copying through system RAM, because peer-to-peer is not possible/);
});

test("root-ports-zen: the same copy is peer-to-peer", () => {
  assert.equal(allowed.exits, [0, 0]);
  assert.is(allowed.receipt.route.via, "p2p");
  assert.ok(allowed.receipt.verification.equal);
});

test.run();
