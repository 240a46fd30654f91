// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readPlan } from "../../../../core/migrate/plan.ts";
import { PlanError } from "../../../../core/migrate/problems.ts";
import { suggest } from "../../../../core/migrate/suggest.ts";
import { randomOf } from "../../random.ts";

function problemsOf(text: string): string[] {
  try {
    readPlan(text, "p.yaml");
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    assert.is(error.exitCode, 2);
    assert.match(error.message, /^"p\.yaml" has (a problem|\d+ problems), nothing was started:\n/);
    return error.message.split("\n  ").slice(1);
  }
  return [];
}

const PAIRS = "pairs: [{from: a, to: b}]";

test("readPlan() merges defaults into pairs, and sizes stay what the plan says", () => {
  const plan = readPlan(
    `
version: 1
defaults: {via: p2p, chunk: 64k, verify: true}
limits: {jobs: 2, perProvider: 1MiB}
hooks: {pre: freeze it, timeout: 90s}
pairs:
  - {name: one, from: a, to: b, via: ram, offset: 4096}
  - {from: c, to: d, hooks: {post: [thaw, "it all"]}}
`,
    "p.yaml",
  );
  assert.equal(plan.limits, { jobs: 2, perDevice: 1, perUplink: 2, perProviderBytes: 1n << 20n });
  assert.equal(plan.hooks, {
    ...{ pre: ["/bin/sh", "-c", "freeze it"], post: undefined, onFailure: undefined, timeoutMs: 90_000 },
  });
  const [one, two] = plan.pairs;
  assert.equal(one?.options, { via: "ram", chunk: "64k", verify: true, offset: 4096 });
  assert.equal([one?.name, two?.name], ["one", "pair-2"]);
  assert.equal(two?.hooks.post, ["thaw", "it all"]);
});

test("readPlan() names line, column, path and what was expected, all problems at once", () => {
  const found = problemsOf(`version: 2
defautls: {}
defaults: {vai: p2p, chunk: 12q}
limits:
  jobs: 0
  perProvider: some
pairs:
  - frm: a
    to: 3
    depth: 1.5
  - {from: a, to: {a: 3}, hooks: {pre: []}}
  - 5
  - from: a
    to: b
    hooks:
       prr: [a]
`);
  assert.equal(found, [
    "p.yaml:1:10: version: 2 is not 1",
    'p.yaml:2:1: defautls: unknown key; did you mean "defaults"?',
    'p.yaml:3:12: defaults.vai: unknown key; did you mean "via"?',
    'p.yaml:3:29: defaults.chunk: "12q" is not a size such as 4096, 128k, 64MiB (binary) or 10GB (decimal)',
    "p.yaml:5:9: limits.jobs: 0 is not a whole number from 1 to 256",
    'p.yaml:6:16: limits.perProvider: "some" is not a size, or all',
    'p.yaml:8:5: pairs[0]: "from" is missing',
    'p.yaml:8:5: pairs[0].frm: unknown key; did you mean "from"?',
    "p.yaml:9:9: pairs[0].to: 3 is not a path, serial:SERIAL, wwid:WWID, a template with {name} or {stem}, or a map from names to these",
    "p.yaml:10:12: pairs[0].depth: 1.5 is not a whole number from 1 to 4096",
    "p.yaml:11:23: pairs[1].to.a: 3 is not a path, serial:SERIAL or wwid:WWID",
    "p.yaml:11:40: pairs[1].hooks.pre: [] is not a command: a list of strings, or one string for sh -c",
    "p.yaml:12:5: pairs[2]: 5 is not a pair",
    'p.yaml:16:8: pairs[3].hooks.prr: unknown key; did you mean "pre"?',
  ]);
});

test("readPlan() finds what a schema can't: fractions, too much, odd chunks, times, double names", () => {
  const wrong: [string, RegExp][] = [
    [`version: 1\ndefaults: {rate: 0.3}\n${PAIRS}`, /2:18: defaults\.rate/],
    [
      "version: 1\npairs: [{from: a, to: b, offset: 9E}]",
      /2:34: pairs\[0\]\.offset: .* larger than any device/,
    ],
    ["version: 1\npairs: [{from: a, to: b, chunk: 5k}]", /chunk: 5k is no multiple of 4 KiB up to 1 GiB/],
    ["version: 1\npairs: [{from: a, to: b, chunk: 2G}]", /no multiple of 4 KiB up to 1 GiB/],
    ["version: 1\npairs: [{from: a, to: b, hooks: {timeout: 0}}]", /2:43: pairs\[0\]\.hooks\.timeout/],
    [
      "version: 1\npairs:\n- {name: x, from: a, to: b}\n- {name: x, from: c, to: d}",
      /4:10: pairs\[1\]\.name: the name "x" is taken by the pair in line 3/,
    ],
    [
      "version: 1\npairs:\n- {name: pair-2, from: a, to: b}\n- {from: c, to: d}",
      /4:3: pairs\[1\]: the name "pair-2" is taken/,
    ],
  ];
  for (const [text, expected] of wrong) {
    const found = problemsOf(text);
    assert.is(found.length, 1, `${text}: ${found}`);
    assert.match(found[0] ?? "", expected);
  }
});

test("readPlan() shows a bounded number of problems", () => {
  const pairs = Array.from({ length: 300 }, () => "- {from: a, to: b, via: x}").join("\n");
  const found = problemsOf(`version: 1\npairs:\n${pairs}`);
  assert.is(found.length, 26);
  assert.is(found.at(-1), "and 275 more");
});

test("readPlan() ends in one clear error whatever the YAML", () => {
  const laughs = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    .concat([..."bcdefgh"].map((name, index) => `${name}: &${name} [${`*${"abcdefg"[index]}, `.repeat(9)}]`))
    .join("\n");
  const hostile: [string, RegExp][] = [
    ["a: &a [*a]", /an anchor contains itself/],
    ["a: &x {b: {c: *x}}", /an anchor contains itself/],
    [laughs, /alias/],
    ["a: *nope", /[Uu]nresolved alias/],
    ["a: !!js/function 'x'", /1:4: Unresolved tag/],
    ["a: 1\n---\nb: 2", /one YAML document/],
    ["{[a, b]: 1}", /keys must be strings/],
    ["a: 1\na: 2", /2:1: Map keys must be unique/],
    ["[".repeat(50_000), /nested deeper than 32/],
    ["- ".repeat(100_000), /nested deeper than 32/],
    ["{a: ".repeat(50_000), /nested deeper than 32/],
    ["? ".repeat(50_000), /nested deeper than 32/],
    ["a".repeat((4 << 20) + 1), /at most 4194304 characters/],
    ["\u0000\u0001\u0002", /no text in UTF-8/],
    ["a: [", /1:5: /],
    ["", /the plan is empty/],
    ["# nothing", /the plan is empty/],
    ["~", /null is not/],
    ["__proto__: {version: 1}", /"version" is missing/],
  ];
  for (const [text, expected] of hostile) {
    const found = problemsOf(text);
    assert.ok(found.length > 0, text.slice(0, 40));
    assert.match(found.join("\n"), expected, text.slice(0, 40));
  }
});

test("readPlan() survives a plan with bytes changed, taken out and doubled, 600 times", () => {
  const good = `version: 1
defaults: {via: p2p, chunk: 64k, verify: true}
limits: {jobs: 2, perProvider: 1MiB}
pairs:
  - &p {name: one, from: "/data/*.img", to: "/backup/{name}", hooks: {pre: "a", post: [b, c]}}
  - {name: two, from: serial:A, to: wwid:B, after: [one]}
`;
  const random = randomOf(7);
  for (let round = 0; round < 600; round++) {
    let text = good;
    for (let edits = 1 + random(4); edits > 0; edits--) {
      const at = random(text.length);
      const insert = [
        String.fromCharCode(32 + random(95)),
        "",
        text.slice(at, at + 1 + random(20)),
        "\n",
        ": ",
      ];
      text = text.slice(0, at) + insert[random(insert.length)] + text.slice(at + random(2));
    }
    problemsOf(text);
  }
});

test("suggest() finds the nearest known word, and none when none is near", () => {
  const known = ["from", "to", "after", "verify", "onError"];
  assert.is(suggest("form", known), "from");
  assert.is(suggest("verfiy", known), "verify");
  assert.is(suggest("onerror", known), "onError");
  assert.is(suggest("colour", known), undefined);
});

test.run();
