// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Branch, growForest, leavesOf } from "../../../../core/topo/index.ts";
import { drive, fakeMachine, hostFunction, rootPort } from "./fake-machine.ts";
import { hostBridges, oneSwitch } from "./machines.ts";

const shape = ({ pci, children }: Branch): unknown => [pci.bdf, ...children.map(shape)];

test("growForest() keeps devices and the bridges above them, and counts the rest", () => {
  const { rootBuses, hiddenCount } = growForest(fakeMachine(oneSwitch()));
  assert.is(hiddenCount, 2);
  assert.equal(
    rootBuses.map(({ branches }) => branches.map(shape)),
    [
      [
        [
          "0000:00:10.0",
          [
            "0000:01:00.0",
            ["0000:02:00.0", ["0000:03:00.0"]],
            ["0000:02:01.0", ["0000:04:00.0"]],
            ["0000:02:02.0", ["0000:05:00.0"]],
          ],
        ],
      ],
    ],
  );
});

test("growForest() shows every function when asked to", () => {
  const { rootBuses, hiddenCount } = growForest(fakeMachine(oneSwitch()), true);
  assert.is(hiddenCount, 0);
  const leaves = rootBuses.flatMap(({ branches }) => branches.flatMap(leavesOf));
  assert.equal(
    leaves.map(({ pci }) => pci.bdf),
    ["0000:00:00.0", "0000:00:01.0", "0000:03:00.0", "0000:04:00.0", "0000:05:00.0"],
  );
});

test("growForest() keeps host bridges apart, with their NUMA nodes", () => {
  const { rootBuses } = growForest(fakeMachine(hostBridges("8086:2030")));
  assert.equal(
    rootBuses.map(({ verdict, numaNode }) => [verdict.name, verdict.ids, numaNode]),
    [
      ["pci0000:00", "8086:2030", 0],
      ["pci0000:80", "8086:2030", 1],
    ],
  );
});

test("growForest() leaves out host bridges without devices, and puts a VMD's domain last", () => {
  const machine = fakeMachine([
    hostFunction("10000:e0:00.0", { root: "pci10000:e0" }),
    rootPort("10000:e0:06.0", { root: "pci10000:e0" }),
    drive("10000:e1:00.0", "10000:e0:06.0", "nvme1"),
    hostFunction("0000:ff:00.0", { root: "pci0000:ff" }),
    rootPort("0000:80:01.0", { root: "pci0000:80" }),
    drive("0000:81:00.0", "0000:80:01.0", "nvme0"),
  ]);
  const { rootBuses } = growForest(machine);
  assert.equal(
    rootBuses.map(({ verdict }) => verdict.name),
    ["pci0000:80", "pci10000:e0"],
  );
});

test.run();
