// SPDX-License-Identifier: MIT
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { expandPlan, type JobPair } from "../../../../core/migrate/expand.ts";
import { readPlan } from "../../../../core/migrate/plan.ts";
import { PlanError } from "../../../../core/migrate/problems.ts";
import { tempFolder } from "../../temp.ts";

const folder = tempFolder("expand");
mkdirSync(join(folder, "sub"));
for (const name of ["b.img", "a.img", "sub/c.img", "odd[1].raw", "two words"]) {
  writeFileSync(join(folder, name), name);
}

function expand(pairs: string): JobPair[] {
  return expandPlan(readPlan(`version: 1\npairs:\n${pairs}`, "p.yaml"), folder);
}

function moves(pairs: string): string[] {
  return expand(pairs).map(({ name, from, to }) => `${name}: ${short(from)} -> ${short(to)}`);
}

function short(path: string): string {
  return path.replace(`${folder}/`, "");
}

function problems(pairs: string): string {
  try {
    expand(pairs);
  } catch (error) {
    if (error instanceof PlanError) return error.message.split("\n  ").slice(1).join("\n");
    throw error;
  }
  return "";
}

test("expandPlan() makes a copy of every match, in order, into a folder or by a template", () => {
  assert.equal(moves("- {name: i, from: '*.img', to: out/}"), [
    "i/a.img: a.img -> out/a.img",
    "i/b.img: b.img -> out/b.img",
  ]);
  assert.equal(moves("- {name: i, from: '**/*.img', to: 'out/{stem}.raw'}"), [
    "i/a.img: a.img -> out/a.raw",
    "i/b.img: b.img -> out/b.raw",
    "i/sub/c.img: sub/c.img -> out/c.raw",
  ]);
  assert.equal(moves(`- {name: i, from: '${folder}/sub/*', to: '/x/{name}'}`), [
    "i/c.img: sub/c.img -> /x/c.img",
  ]);
});

test("expandPlan() takes a map from names, and single files into folders", () => {
  assert.equal(moves("- {name: i, from: '*.img', to: {a.img: x, b.img: 'serial:S'}}"), [
    "i/a.img: a.img -> x",
    "i/b.img: b.img -> serial:S",
  ]);
  assert.equal(moves("- {from: two words, to: out/}"), ["pair-1: two words -> out/two words"]);
});

test("expandPlan() takes a file literally that is there, or whose wildcards are escaped", () => {
  assert.equal(moves("- {from: 'odd[1].raw', to: x}"), ["pair-1: odd[1].raw -> x"]);
  assert.equal(moves("- {from: 'odd\\[1\\].raw', to: x}"), ["pair-1: odd[1].raw -> x"]);
});

test("expandPlan() leaves names of devices alone", () => {
  assert.equal(moves("- {from: 'serial:A*', to: 'wwid:eui.1'}"), ["pair-1: serial:A* -> wwid:eui.1"]);
});

test("expandPlan() makes one after a glob wait for all of its copies", () => {
  const [, , last] = expand(
    "- {name: i, from: '*.img', to: out/}\n- {name: z, from: sub/c.img, to: y, after: [i]}",
  );
  assert.equal(last?.after, ["i/a.img", "i/b.img"]);
});

test("expandPlan() says what is wrong with globs and targets, and where", () => {
  const wrong: [string, RegExp][] = [
    ["- {from: '*.none', to: out/}", /^p\.yaml:3:10: pairs\[0\]\.from: "\*\.none" matches nothing$/],
    ["- {from: '*.img', to: out}", /3:23: pairs\[0\]\.to: several sources need a folder/],
    ["- {from: '**/*.img', to: '{stem}.x/'}\n- {from: '*.img', to: 'same-{stem}'}", /^$/],
    ["- {from: '{a,b}.img', to: 'x{stem}'}", /^$/],
    ["- {from: '**/[ab]*', to: 'all.{nme}'}", /"\{nme\}" is unknown|need a folder/],
    ["- {from: '*.img', to: {a.img: x}}", /"b\.img" is not in this map/],
    ["- {from: '*.img', to: {a.img: x, b.img: y, c: z}}", /3:44: pairs\[0\]\.to\.c: no source is called "c"/],
    ["- {from: '*.img', to: {a.img: x, b.img: y}}", /^$/],
    ["- {from: '/dev/nul*', to: x/}", /matches nothing/],
    ["- {from: '/dev/d*/x*', to: 'x{name}'}", /only the last part may be a pattern/],
    ["- {from: 'serial:A', to: out/}", /"serial:A" has no file name to make this one from/],
  ];
  for (const [pairs, expected] of wrong) assert.match(problems(pairs), expected, pairs);
});

test("expandPlan() refuses two sources that would become one file", () => {
  writeFileSync(join(folder, "sub", "a.img"), "");
  assert.match(
    problems("- {from: '**/a.img', to: 'out/{name}'}"),
    /3:26: pairs\[0\]\.to: ".*" and ".*" would both become ".*out\/a\.img"/,
  );
});

test("expandPlan() finds unknown names and rings", () => {
  assert.match(
    problems("- {name: one, from: a.img, to: x, after: [tow]}\n- {name: two, from: b.img, to: y}"),
    /3:43: pairs\[0\]\.after\[0\]: no pair is called "tow"; did you mean "two"\?/,
  );
  assert.match(problems("- {name: one, from: a.img, to: x, after: [one]}"), /can't come after itself/);
  const ring = ["b", "c", "a"].map(
    (after, index) => `- {name: ${"abc"[index]}, from: a.img, to: x${index}, after: [${after}]}`,
  );
  assert.is(
    problems(ring.join("\n")),
    "p.yaml:5:42: pairs[2].after[0]: these wait for one another: a after b after c after a",
  );
});

test("expandPlan() copes with a chain as long as a plan may be", () => {
  const chain = Array.from({ length: 4000 }, (_, index) => {
    const after = index === 3999 ? "" : `, after: [n${index + 1}]`;
    return `- {name: n${index}, from: a.img, to: x${index}${after}}`;
  });
  assert.is(expand(chain.join("\n")).length, 4000);
});

test.run();
