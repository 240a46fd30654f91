// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { cpusBeside, parseCpuList } from "../../../../core/copy/numa.ts";
import type { Bdf } from "../../../../core/pci/bdf.ts";
import { SystemView } from "../../../../core/sysfs.ts";

class Machine extends SystemView {
  constructor(readonly files: Readonly<Record<string, string>>) {
    super();
  }
  override bytes(path: string) {
    const text = this.files[path];
    return text === undefined ? undefined : Buffer.from(text);
  }
  override list(path: string) {
    const names = Object.keys(this.files).filter((file) => file.startsWith(`${path}/`));
    return [...new Set(names.map((file) => file.slice(path.length + 1).split("/")[0] ?? ""))].sort();
  }
  override resolve(path: string) {
    return path in this.files ? path : undefined;
  }
}

const NODES = "/sys/devices/system/node";
const [ON_0, ON_1, NOWHERE] = ["0000:03:00.0", "0000:83:00.0", "0000:04:00.0"] as unknown as [Bdf, Bdf, Bdf];
const devices = {
  [`/sys/bus/pci/devices/${ON_0}/numa_node`]: "0\n",
  [`/sys/bus/pci/devices/${ON_1}/numa_node`]: "1\n",
  [`/sys/bus/pci/devices/${NOWHERE}/numa_node`]: "-1\n",
};
const twoNodes = new Machine({
  ...devices,
  [`${NODES}/online`]: "0-1\n",
  [`${NODES}/node0/cpulist`]: "0-1,4-5\n",
  [`${NODES}/node1/cpulist`]: "2-3,6\n",
});

test("cpusBeside() takes the first device that tells its node", () => {
  assert.equal(cpusBeside(twoNodes, [ON_1, ON_0]), [2, 3, 6]);
  assert.equal(cpusBeside(twoNodes, [undefined, NOWHERE, ON_0]), [0, 1, 4, 5]);
  assert.is(cpusBeside(twoNodes, [undefined, NOWHERE]), undefined);
});

test("cpusBeside() leaves machines alone that have one node with CPUs", () => {
  const memoryOnly = { [`${NODES}/node0/cpulist`]: "0-7\n", [`${NODES}/node1/cpulist`]: "\n" };
  assert.is(cpusBeside(new Machine({ ...devices, ...memoryOnly }), [ON_0]), undefined);
  assert.is(cpusBeside(new Machine(devices), [ON_0]), undefined);
});

test("cpusBeside() has no answer for a node without CPUs", () => {
  const files: Record<string, string> = { ...twoNodes.files, [`${NODES}/node2/cpulist`]: "\n" };
  files[`/sys/bus/pci/devices/${ON_0}/numa_node`] = "2\n";
  assert.is(cpusBeside(new Machine(files), [ON_0]), undefined);
});

for (const [text, cpus] of [
  ["", []],
  ["0\n", [0]],
  ["0-3,8,10-11\n", [0, 1, 2, 3, 8, 10, 11]],
  ["5-3", []],
  ["1,x,-2,3", [1, 3]],
] as const) {
  test(`parseCpuList() reads ${JSON.stringify(text)}`, () => assert.equal(parseCpuList(text), [...cpus]));
}

test.run();
