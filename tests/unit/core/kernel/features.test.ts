// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type FeatureState,
  type Finding,
  features,
  judgeUses,
  needs,
  uses,
} from "../../../../core/kernel/index.ts";

const byId = new Map(features.map((feature) => [feature.id, feature]));
const idsOf = (need: string | readonly string[]) => (typeof need === "string" ? [need] : need);

test("every feature has an id of its own", () => assert.is(byId.size, features.length));

for (const use of uses) {
  test(`what ${use} needs is a feature that says so`, () => {
    for (const id of needs[use].flatMap(idsOf))
      assert.ok(byId.get(id)?.matters.includes(use), `${use}: ${id}`);
  });
}

test("a feature whose options decide has some", () => {
  for (const feature of features.filter(({ isOption }) => isOption)) assert.ok(feature.options.length > 0);
});

const findings = (states: Readonly<Record<string, FeatureState>>): Finding[] =>
  features.map((feature) => ({ feature, state: states[feature.id] ?? "present", evidence: "" }));
const verdict = (states: Readonly<Record<string, FeatureState>>) => {
  const found = judgeUses(findings(states)).find(({ use }) => use === "copy");
  return [found?.state, found?.lacks];
};

test("judgeUses() of a kernel that has everything", () =>
  assert.ok(judgeUses(findings({})).every(({ state }) => state === "present")));

test("judgeUses() names what is certainly missing, not what cannot be seen", () =>
  assert.equal(verdict({ "gup-flag": "absent", "iov-iter": "unknown" }), ["absent", ["gup-flag"]]));

test("judgeUses() can't tell when something needed cannot be seen", () =>
  assert.equal(verdict({ "iov-iter": "unknown" }), ["unknown", ["iov-iter"]]));

test("judgeUses() needs one way to get memory, whichever", () => {
  assert.equal(verdict({ "sysfs-allocate": "absent" }), ["present", []]);
  assert.equal(verdict({ "nvme-mmap": "absent" }), ["present", []]);
  assert.equal(verdict({ "sysfs-allocate": "absent", "nvme-mmap": "absent" }), [
    "absent",
    ["sysfs-allocate|nvme-mmap"],
  ]);
});

test("judgeUses() does not ask a copy for what only RDMA needs", () =>
  assert.equal(verdict({ "vfio-dmabuf": "absent" }), ["present", []]));

test.run();
