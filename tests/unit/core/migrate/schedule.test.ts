// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Capacity, type Demand, decide } from "../../../../core/migrate/schedule.ts";
import { type Random, randomOf } from "../../random.ts";

const PLAIN: Capacity = { jobs: 4, perDevice: 1, perUplink: 2, memory: new Map([["P", 100n]]) };

function demand(name: string, over: Partial<Demand> = {}): Demand {
  return { name, after: [], memory: undefined, devices: [], uplinks: [], exclusive: undefined, ...over };
}

function names(demands: readonly Demand[]): string[] {
  return demands.map(({ name }) => name);
}

test("decide() starts in order, as many as jobs allows", () => {
  const waiting = ["a", "b", "c"].map((name) => demand(name));
  const { start, waits } = decide(waiting, [demand("r")], new Set(), { ...PLAIN, jobs: 3 });
  assert.equal(names(start), ["a", "b"]);
  assert.equal(waits.get("c"), { for: "jobs" });
});

test("decide() holds back what comes after something unfinished", () => {
  const waiting = [demand("a", { after: ["x", "y"] }), demand("b")];
  const { start, waits } = decide(waiting, [], new Set(["x"]), PLAIN);
  assert.equal(names(start), ["b"]);
  assert.equal(waits.get("a"), { for: "pairs", names: ["y"] });
});

test("decide() adds up the memory of a provider, and takes one without a limit as it is", () => {
  const hold = (name: string, bytes: bigint, provider = "P") => demand(name, { memory: { provider, bytes } });
  const waiting = [hold("a", 60n), hold("b", 41n), hold("c", 1n, "Q")];
  assert.equal(names(decide(waiting, [], new Set(), PLAIN).start), ["a", "c"]);
  assert.equal(names(decide([hold("b", 40n)], [hold("a", 60n)], new Set(), PLAIN).start), ["b"]);
});

test("decide() lets no small copy overtake a large one that waits for memory", () => {
  const hold = (name: string, bytes: bigint) => demand(name, { memory: { provider: "P", bytes } });
  const { start, waits } = decide(
    [hold("large", 80n), hold("small", 1n)],
    [hold("r", 50n)],
    new Set(),
    PLAIN,
  );
  assert.equal(names(start), []);
  assert.equal(waits.get("small"), { for: "memory", name: "P" });
});

test("decide() counts devices, uplinks and exclusive destinations", () => {
  const waiting = [
    demand("a", { devices: ["d1", "d2"] }),
    demand("b", { devices: ["d2"] }),
    demand("c", { uplinks: ["u"] }),
    demand("d", { uplinks: ["u"] }),
    demand("e", { exclusive: "x" }),
  ];
  const running = [demand("r", { uplinks: ["u"] }), demand("s", { exclusive: "x" })];
  const { start, waits } = decide(waiting, running, new Set(), { ...PLAIN, jobs: 9 });
  assert.equal(names(start), ["a", "c"]);
  assert.equal(
    [...waits.values()].map((wait) => wait.for),
    ["device", "uplink", "device"],
  );
});

/** A plan that could run: no pair asks for more than there is, `after` names earlier pairs only. */
function randomPlan(random: Random): { pairs: Demand[]; capacity: Capacity } {
  const memory = new Map(["P", "Q", "R"].map((name) => [name, BigInt(1 + random(64))]));
  const pick = (prefix: string, most: number) =>
    Array.from({ length: random(3) }, () => `${prefix}${random(most)}`);
  const pairs = Array.from({ length: 1 + random(24) }, (_, index): Demand => {
    const [provider, limit] = [...memory][random(3)] as [string, bigint];
    return {
      name: `p${index}`,
      after: index === 0 ? [] : [...new Set(pick("p", index))],
      memory: random(4) === 0 ? undefined : { provider, bytes: BigInt(random(Number(limit)) + 1) },
      devices: [...new Set(pick("d", 5))],
      uplinks: [...new Set(pick("u", 3))],
      exclusive: random(2) === 0 ? undefined : `x${random(4)}`,
    };
  });
  const capacity = { jobs: 1 + random(6), perDevice: 1 + random(2), perUplink: 1 + random(3), memory };
  return { pairs, capacity };
}

/** Throws when what runs goes beyond a limit. */
function checkLimits(running: readonly Demand[], capacity: Capacity): void {
  const count = (of: (demand: Demand) => readonly string[]) => {
    const all = running.flatMap((one) => [...new Set(of(one))]);
    return Math.max(0, ...all.map((name) => all.filter((other) => other === name).length));
  };
  assert.ok(running.length <= capacity.jobs, "jobs");
  assert.ok(count(({ devices }) => devices) <= capacity.perDevice, "devices");
  assert.ok(count(({ uplinks }) => uplinks) <= capacity.perUplink, "uplinks");
  assert.ok(count(({ exclusive }) => (exclusive ? [exclusive] : [])) <= 1, "exclusive");
  for (const [provider, limit] of capacity.memory) {
    const used = running.reduce(
      (sum, { memory }) => sum + (memory?.provider === provider ? memory.bytes : 0n),
      0n,
    );
    assert.ok(used <= limit, `memory of ${provider}: ${used} of ${limit}`);
  }
}

test("decide() keeps every limit, and every pair of a random plan runs once, after those it waits for", () => {
  for (let seed = 1; seed <= 400; seed++) {
    const random = randomOf(seed);
    const { pairs, capacity } = randomPlan(random);
    let waiting = [...pairs];
    let running: Demand[] = [];
    const finished = new Set<string>();
    while (finished.size < pairs.length) {
      const { start, waits } = decide(waiting, running, finished, capacity);
      for (const { name, after } of start) {
        assert.ok(
          after.every((earlier) => finished.has(earlier)),
          `seed ${seed}: ${name} came too early`,
        );
      }
      waiting = waiting.filter((one) => !start.includes(one));
      assert.equal([...waits.keys()].sort(), names(waiting).sort(), `seed ${seed}: a wait without a reason`);
      running = [...running, ...start];
      checkLimits(running, capacity);
      assert.ok(running.length > 0, `seed ${seed}: nothing runs and ${waiting.length} wait`);
      const [ended] = running.splice(random(running.length), 1);
      if (ended) finished.add(ended.name);
    }
  }
});

test.run();
