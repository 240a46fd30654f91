// SPDX-License-Identifier: MIT
// The pump's thread runs beside the destination on a machine of two NUMA nodes, and no other thread moves.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { captureIn, startLab } from "../../lab/run.ts";
import { p2pdma } from "./boot.ts";

const HALF_MIB = 512;
/** Drive B hangs on the second host bridge, so its node is that of the bridge; A tells none. */
const nodes = [0, 1].flatMap((node) => [
  ...["-object", `memory-backend-ram,id=node${node},size=${HALF_MIB}M`],
  ...["-numa", `node,nodeid=${node},cpus=${node},memdev=node${node}`],
]);
const lab = await startLab({
  topology: "host-bridges",
  memoryMiB: 2 * HALF_MIB,
  qemuArgs: [...nodes, "-set", "device.bridge0.numa_node=1"],
});
test.after(() => lab.close());

/** What each thread of a running copy may run on, and what CPUs the drives are beside. */
async function lookAt(from: string, to: string) {
  const script = `
    ${p2pdma.join(" ")} copy -q --via ram --no-journal --sparse never --allow-write --rate 4M --length 64M /dev/lab/${from} /dev/lab/${to} &
    for try in $(seq 100); do
      sleep 0.3
      grep -h Cpus_allowed_list /proc/$!/task/*/status | cut -f2 > /run/lists
      [ "$(sort -u /run/lists | wc -l)" -gt 1 ] && break
    done
    kill -INT $!; cat /run/lists; wait $!; echo "exit $?"`;
  const { stdout, stderr } = await captureIn(lab, { command: ["bash", "-c", script], timeoutMs: 120_000 });
  const lines = stdout.trim().split("\n");
  assert.is(lines.at(-1), "exit 130", stderr);
  return lines.slice(0, -1);
}

const nodeOf = async (letter: string) =>
  (
    await captureIn(lab, {
      command: [
        "bash",
        "-c",
        `cat /sys/block/$(basename $(readlink -f /dev/lab/${letter}))/device/device/numa_node`,
      ],
    })
  ).stdout.trim();

for (const [from, to] of [
  ["A", "B"],
  ["B", "A"],
] as const) {
  test(`copying from ${from} to ${to}, one thread runs beside B, the others anywhere`, async () => {
    assert.equal([await nodeOf("A"), await nodeOf("B")], ["-1", "1"]);
    assert.equal(
      (await lookAt(from, to)).filter((list) => list !== "0-1"),
      ["1"],
    );
  });
}

test.run();
