// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isMet, renderFigures } from "../../bench/figures.ts";
import { inTurns, median, ratioOf } from "../../bench/statistics.ts";

const figure = (value: number, required?: { atLeast: number } | { atMost: number } | { near: number }) => ({
  name: "speed",
  value,
  detail: "1 to 2",
  ...(required ? { required } : {}),
});

test("isMet() holds a figure against its bound, from its side", () => {
  for (const [value, required, met] of [
    [1.3, { atLeast: 1.3 }, true],
    [1.29, { atLeast: 1.3 }, false],
    [1, { atMost: 1 }, true],
    [1.01, { atMost: 1 }, false],
    [0.94, { near: 0.05 }, false],
    [1.06, { near: 0.05 }, false],
    [1.04, { near: 0.05 }, true],
    [Number.NaN, { atLeast: 0 }, false],
    [Number.NaN, { atMost: 9 }, false],
    [Number.NaN, { near: 1 }, false],
  ] as const) {
    assert.is(isMet(figure(value, required)), met, `${value} ${JSON.stringify(required)}`);
  }
  assert.ok(isMet(figure(0)));
});

test("renderFigures() says PASS or MISSED of what is judged, nothing of what is told", () => {
  const lines = renderFigures([figure(2, { atLeast: 1 }), figure(2, { atMost: 1 }), figure(2)]).split("\n");
  assert.equal(
    lines.map((line) => line.replace(/ +/g, " ")),
    ["speed 2.000 >= 1 PASS 1 to 2", "speed 2.000 <= 1 MISSED 1 to 2", "speed 2.000 1 to 2"],
  );
});

test("ratioOf() compares within a round, so that drift cancels out", () => {
  assert.is(ratioOf([10, 20, 40], [5, 10, 20]), 2);
  assert.is(median([3, 1]), 2);
  assert.ok(Number.isNaN(median([])));
});

test("inTurns() lets every other round go backwards", async () => {
  const order: string[] = [];
  const go = (name: string) => async () => order.push(name);
  const results = await inTurns(2, { a: go("a"), b: go("b") });
  assert.equal(order, ["a", "b", "b", "a"]);
  assert.equal(results, { a: [1, 4], b: [2, 3] });
});

test.run();
