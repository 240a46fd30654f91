// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Bdf } from "../../../../core/pci/bdf.ts";
import { type PciFunction, pathUp, readPciTree } from "../../../../core/pci/tree.ts";
import { vmSwitch } from "../../../fixtures/machines/virtual.ts";
import { vmdServer } from "../../../fixtures/machines/vmd.ts";
import { xeonSkylake } from "../../../fixtures/machines/xeon-skylake.ts";
import { addressesOf, capturedMachine, machineFiles, manyFunctions } from "../../machines.ts";

const bdf = (text: string) => text as Bdf;
const device = (address: string) => `/sys/bus/pci/devices/${address}`;

test("readPciTree() reads a function whole", () => {
  const found = readPciTree(machineFiles(xeonSkylake)).functions.get(bdf("0000:1a:00.0"));
  assert.ok(found);
  const { resources, ...rest } = found as PciFunction;
  assert.equal(rest, {
    ...{ bdf: "0000:1a:00.0", vendorId: 0x11f8, deviceId: 0xf117, classCode: 0x010802, driver: "nvme" },
    ...{ numaNode: 0, iommuGroup: "21", parent: "0000:19:08.0", hostBridge: "pci0000:17" },
    link: { speedGtps: 8, width: 4, maxSpeedGtps: 8, maxWidth: 4 },
    ...{ portType: "endpoint", acs: { state: "absent" }, isBridge: false },
  });
  assert.equal(
    resources.map(({ index, start, end }) => [index, start, end]),
    [
      [0, 0xaa000000n, 0xaa003fffn],
      [2, 0x38000000000n, 0x3801fffffffn],
    ],
  );
});

test("readPciTree() finds every function of a machine", () => {
  const { functions } = readPciTree(machineFiles(xeonSkylake));
  assert.equal([...functions.keys()].sort(), addressesOf(xeonSkylake).sort());
});

test("readPciTree() takes the lowest address on each root bus for its first device", () => {
  const { hostBridges } = readPciTree(machineFiles(xeonSkylake));
  const first = Object.fromEntries([...hostBridges].map(([name, { firstDevice }]) => [name, firstDevice]));
  assert.equal(first, {
    "pci0000:00": "0000:00:00.0",
    "pci0000:17": "0000:17:00.0",
    "pci0000:5d": "0000:5d:02.0",
    "pci0000:85": "0000:85:00.0",
    "pci0000:ae": "0000:ae:05.0",
  });
});

test("readPciTree() puts what is behind a VMD below the root bus of its own domain", () => {
  const tree = readPciTree(machineFiles(vmdServer));
  const drive = tree.functions.get(bdf("10000:01:00.0"));
  assert.is(drive?.hostBridge, "pci10000:00");
  assert.is(drive?.parent, "10000:00:02.0");
  assert.is(tree.functions.get(bdf("10000:00:02.0"))?.parent, undefined, "the VMD is no bridge above");
  assert.is(tree.hostBridges.get("pci10001:00")?.firstDevice, "10001:00:01.0");
});

test("readPciTree() keeps domains apart that use the same bus numbers", () => {
  const tree = readPciTree(machineFiles(vmdServer));
  assert.is(tree.functions.get(bdf("10000:02:00.0"))?.hostBridge, "pci10000:00");
  assert.is(tree.functions.get(bdf("10001:02:00.0"))?.hostBridge, "pci10001:00");
});

test("readPciTree() leaves out a function that vanished while it was listed", () => {
  const files = machineFiles(vmSwitch);
  const real = files.resolve(device("0000:04:00.0")) ?? "";
  files.remove(real);
  const tree = readPciTree(files);
  assert.not.ok(tree.functions.has(bdf("0000:04:00.0")));
  assert.is(tree.functions.size, addressesOf(vmSwitch).length - 1);
});

test("readPciTree() says nothing where files are missing", () => {
  const files = machineFiles(vmSwitch);
  const real = files.resolve(device("0000:03:00.0")) ?? "";
  for (const file of ["vendor", "device", "class", "config", "resource", "numa_node", "driver"]) {
    files.remove(`${real}/${file}`);
  }
  const found = readPciTree(files).functions.get(bdf("0000:03:00.0"));
  assert.equal(found, {
    ...{
      bdf: "0000:03:00.0",
      vendorId: 0,
      deviceId: 0,
      classCode: 0,
      driver: undefined,
      numaNode: undefined,
    },
    ...{ iommuGroup: undefined, parent: "0000:02:00.0", hostBridge: "pci0000:00", link: undefined },
    ...{ portType: undefined, acs: { state: "unknown" }, resources: [], isBridge: false },
  });
});

const nodes: [string, number | undefined][] = [
  ["-1\n", undefined],
  ["0\n", 0],
  ["7\n", 7],
  ["none\n", undefined],
];
for (const [text, expected] of nodes) {
  test(`readPciTree() reads NUMA node "${text.trim()}" as ${expected}`, () => {
    const files = machineFiles(vmSwitch);
    files.write(`${files.resolve(device("0000:03:00.0"))}/numa_node`, text);
    assert.is(readPciTree(files).functions.get(bdf("0000:03:00.0"))?.numaNode, expected);
  });
}

test("readPciTree() gives no link where the kernel knows no speed", () => {
  const files = machineFiles(xeonSkylake);
  files.write(`${files.resolve(device("0000:1a:00.0"))}/current_link_speed`, "Unknown\n");
  assert.is(readPciTree(files).functions.get(bdf("0000:1a:00.0"))?.link, undefined);
});

test("readPciTree() of no machine at all is empty", () => {
  const files = machineFiles({ ...vmSwitch, roots: {} });
  assert.is(readPciTree(files).functions.size, 0);
});

test("readPciTree() passes over names that are no addresses", () => {
  const files = machineFiles(vmSwitch);
  files.link("/sys/bus/pci/devices/slots", "/sys/devices/pci0000:00");
  files.link("/sys/bus/pci/devices/0000:09:00.0", "/sys/devices/platform");
  files.folder("/sys/devices/platform");
  assert.is(readPciTree(files).functions.size, addressesOf(vmSwitch).length);
});

test("pathUp() goes to the root bus", () => {
  const tree = readPciTree(machineFiles(vmSwitch));
  const path = pathUp(tree, bdf("0000:03:00.0")).map((one) => one.bdf);
  assert.equal(path, ["0000:03:00.0", "0000:02:00.0", "0000:01:00.0", "0000:00:03.0"]);
  assert.equal(pathUp(tree, bdf("0000:09:00.0")), []);
});

test("readPciTree() asks a fixed number of questions a function", () => {
  const [few, many] = [400, 1000].map((count) => {
    const files = machineFiles(manyFunctions(count));
    files.questions = 0;
    assert.is(readPciTree(files).functions.size, count);
    return files.questions - 1;
  });
  assert.is((many ?? 0) / 1000, (few ?? 0) / 400);
});

test("readPciTree() of 1000 functions takes well under a second", () => {
  const view = capturedMachine(manyFunctions(1000));
  const started = performance.now();
  assert.is(readPciTree(view).functions.size, 1000);
  const elapsed = performance.now() - started;
  console.log(`1000 functions read in ${elapsed.toFixed(0)} ms`);
  assert.ok(elapsed < 1000);
});

test.run();
