// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { rankCandidates } from "../../../../core/copy/candidates.ts";
import { cellText, judgePair, type Machine, predictReach } from "../../../../core/topo/index.ts";
import { fakeDrive } from "../copy/fakes.ts";
import { type FakeFunction, fakeMachine } from "./fake-machine.ts";
import { hostBridges, largeMachine, oneSwitch, rootPorts, twoSwitches } from "./machines.ts";

function pairOf(machine: Machine, source: string, destination: string) {
  const [from, to] = [source, destination].map((wanted) =>
    machine.devices.find(({ name }) => name === wanted),
  );
  if (!from || !to) throw new Error("no such device");
  return judgePair(machine, from, to);
}

const order = (functions: FakeFunction[], source: string, destination: string) =>
  pairOf(fakeMachine(functions), source, destination).routes.map(({ provider }) => provider.name);

test("judgePair() puts the destination's memory first, then the source's, then others", () => {
  assert.equal(order(oneSwitch(), "nvme0", "nvme1"), ["nvme1", "nvme0"]);
  assert.equal(order(oneSwitch(), "nvme1", "nvme0"), ["nvme0", "nvme1"]);
  assert.equal(order(oneSwitch(), "nvme1", "nvme2"), ["nvme1", "nvme0"]);
});

test("judgePair() prefers what is direct to what goes through the host bridge", () => {
  assert.equal(order(twoSwitches(), "nvme1", "nvme0"), ["nvme0", "nvme2"]);
  assert.equal(order(twoSwitches(), "nvme2", "nvme1"), ["nvme2", "nvme0"]);
});

test("judgePair() answers yes, no, and does not know", () => {
  assert.is(pairOf(fakeMachine(oneSwitch()), "nvme0", "nvme2").works, true);
  assert.is(pairOf(fakeMachine(rootPorts()), "nvme0", "nvme1").works, false);
  const hidden = oneSwitch().map((pci) => ({ ...pci, hidden: true }));
  assert.is(pairOf(fakeMachine(hidden), "nvme0", "nvme2").works, undefined);
});

test("judgePair() without any provider has no route, but knows what would be", () => {
  const machine = fakeMachine(oneSwitch().map(({ p2pmemMiB: _, ...pci }) => pci));
  const pair = pairOf(machine, "nvme0", "nvme1");
  assert.equal(pair.routes, []);
  assert.is(pair.works, false);
  assert.is(pair.between.mapType, "BUS_ADDR");
});

test("judgePair() of two namespaces of one controller is about its own memory", () => {
  const [best] = pairOf(fakeMachine(oneSwitch()), "nvme0", "nvme0").routes;
  assert.is(best?.role, "destination");
  assert.is(best?.source.rule, "same-function");
});

for (const [what, functions] of [
  ["one switch", oneSwitch()],
  ["two switches", twoSwitches()],
  ["two host bridges", hostBridges("8086:2030")],
  ["a large machine", largeMachine()],
] as const) {
  test(`judgePair() tries providers in the order in which a copy does: ${what}`, () => {
    const machine = fakeMachine(functions);
    const [first] = machine.devices;
    for (const last of machine.devices.slice(1)) {
      const ends = [first, last].map((device) => fakeDrive(`${device?.name}n1`, device?.bdf ?? ""));
      const [from, to] = ends as [(typeof ends)[number], (typeof ends)[number]];
      const candidates = rankCandidates(machine, from, to, undefined).map(({ provider }) => provider.bdf);
      const routes = pairOf(machine, first?.name ?? "", last.name).routes.map(({ provider }) => provider.bdf);
      assert.equal(routes, candidates);
    }
  });
}

test("predictReach() tells each pair in a word", () => {
  const { verdicts } = predictReach(fakeMachine(twoSwitches()));
  assert.equal(
    verdicts.map((column) => column.map(cellText)),
    [
      ["self", "BUS 4", "HB 8", "HB 8"],
      ["HB 8", "HB 8", "self", "HB 4"],
    ],
  );
});

test("predictReach() lets the drives stand in where nobody lends memory", () => {
  const machine = fakeMachine(oneSwitch().map(({ p2pmemMiB: _, ...pci }) => pci));
  const { providers, isHypothetical } = predictReach(machine);
  assert.ok(isHypothetical);
  assert.is(providers.length, 3);
});

test.run();
