// SPDX-License-Identifier: MIT
// Thousands of damaged captures: each ends in a view or in one clear error, and what is read from a view
// never throws anything else. The seed is fixed, so a failure can be repeated.
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CapturedView } from "../../../../core/capture/captured-view.ts";
import { gatherAll } from "../../../../core/capture/gatherers.ts";
import { parseCapture } from "../../../../core/capture/parse.ts";
import { P2pdmaError } from "../../../../core/errors.ts";
import { distanceToAll, nearestProviders, predict } from "../../../../core/pci/rules.ts";
import { pathUp, readPciTree } from "../../../../core/pci/tree.ts";
import { vmSwitch } from "../../../fixtures/machines/virtual.ts";
import { vmdServer } from "../../../fixtures/machines/vmd.ts";
import { captureText } from "../../machines.ts";
import { type Random, randomOf } from "../../random.ts";

const ROUNDS = 3000;
const DEADLINE_MS = 2000;
const PAIRS = 30;

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Parts = Record<"files" | "lists" | "links", Record<string, Json>>;

/** Small, so that thousands of them are quick: config space of two functions, and no kernel options. */
const originals = [vmSwitch, vmdServer].map((machine) => {
  const whole = JSON.parse(captureText(machine)) as Parts;
  let kept = 0;
  for (const path of Object.keys(whole.files))
    if (path.endsWith("/config") && kept++ >= 2) whole.files[path] = null;
  return JSON.stringify(whole);
});

const BDF = /\b[0-9a-f]{4,5}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\b/g;
const WILD: readonly Json[] = [
  ...[
    null,
    true,
    0,
    -1,
    1e308,
    "",
    "0x",
    "0xffffffffffffffffffffffffffffffff",
    "9".repeat(5000),
    "-1",
    "\0",
    "/",
    "..",
    "\ud800",
  ],
  ...[[], {}, [[[[]]]], { base64: [] }, { base64: ["===="] }, { base64: ["A".repeat(4000)] }],
];

/** Damage to the bytes: most of these are no JSON any more. */
const byteDamage: ((bytes: Buffer, random: Random) => Buffer)[] = [
  (bytes, random) => bytes.subarray(0, random(bytes.length)),
  (bytes, random) => {
    for (let flips = 1 + random(8); flips > 0; flips--) bytes.writeUInt8(random(256), random(bytes.length));
    return bytes;
  },
  (bytes, random) => {
    const [from, to, length] = [random(bytes.length), random(bytes.length), random(2000)];
    bytes.copy(bytes, to, from, Math.min(from + length, bytes.length));
    return bytes;
  },
  (bytes, random) => {
    const at = random(bytes.length);
    const middle = Buffer.from(
      ["[", '{"a":', '"', "\\", "\u0000", ","][random(6)]?.repeat(1 + random(5000)) ?? "",
    );
    return Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(at)]);
  },
];

/** Damage to the document: most of these are JSON, and some still a capture. */
const documentDamage: ((parts: Parts, random: Random) => void)[] = [
  (parts, random) => {
    const part = partOf(parts, random);
    part[pathOf(part, random)] = WILD[random(WILD.length)] ?? null;
  },
  (parts, random) => {
    const part = partOf(parts, random);
    delete part[pathOf(part, random)];
  },
  (parts, random) => {
    const [from, to] = [pathOf(parts.links, random), pathOf(parts.links, random)];
    parts.links[from] = parts.links[to] ?? null;
  },
  (parts, random) => {
    const path = pathOf(parts.links, random);
    const [one, other] = [pathOf(parts.links, random), pathOf(parts.links, random)].map((at) =>
      at.match(BDF)?.at(-1),
    );
    if (one && other) parts.links[path] = String(parts.links[path]).replaceAll(one, other);
  },
  (parts, random) => {
    const path = pathOf(parts.files, random);
    const text = String(parts.files[path]);
    parts.files[path] = text.repeat(1 + random(20)).slice(random(10));
  },
  (parts, random) => {
    const path = pathOf(parts.lists, random);
    parts.lists[path] = Object.values(parts.lists).flat().slice(random(50));
  },
  (parts, random) => {
    (parts as Record<string, Json>)[["schema", "kernel", "files", "lists", "links"][random(5)] ?? ""] =
      WILD[random(WILD.length)] ?? null;
  },
];

function partOf(parts: Parts, random: Random): Record<string, Json> {
  return [parts.files, parts.lists, parts.links][random(3)] ?? parts.files;
}

function pathOf(part: Record<string, Json>, random: Random): string {
  const paths = Object.keys(part ?? {});
  return paths[random(Math.max(1, paths.length))] ?? "/";
}

function damaged(random: Random): Buffer {
  const original = originals[random(originals.length)] ?? "";
  if (random(2) === 0)
    return byteDamage[random(byteDamage.length)]?.(Buffer.from(original), random) ?? Buffer.alloc(0);
  const parts = JSON.parse(original) as Parts;
  for (let times = 1 + random(3); times > 0; times--) {
    const isWhole = [parts.files, parts.lists, parts.links].every(
      (part) => typeof part === "object" && part !== null,
    );
    if (isWhole) documentDamage[random(documentDamage.length)]?.(parts, random);
  }
  return Buffer.from(JSON.stringify(parts));
}

/** Everything that a view is asked for, and verdicts on some pairs. */
function lookAt(view: CapturedView, random: Random): void {
  gatherAll(view);
  const tree = readPciTree(view);
  const all = [...tree.functions.keys()];
  for (const one of all) assert.ok(pathUp(tree, one).length <= all.length);
  for (let pair = 0; pair < PAIRS && all.length > 0; pair++) {
    const [provider, client] = [all[random(all.length)], all[random(all.length)]];
    if (!provider || !client) continue;
    const platform = { kernel: { major: 4 + random(4), minor: random(21) }, isAmdZen: random(2) === 0 };
    const { possible, mapType } = predict(tree, platform, provider, client);
    assert.ok(possible.length === 1 ? possible[0] === mapType : mapType === undefined);
    distanceToAll(tree, platform, provider, [client]);
  }
  nearestProviders(
    tree,
    { kernel: { major: 6, minor: 12 }, isAmdZen: false },
    all.slice(0, 5),
    all.slice(0, 5),
  );
}

test(`parseCapture() of ${ROUNDS} damaged captures: a view or one clear error, each in time`, () => {
  const counts = { views: 0, errors: 0 };
  const messages = new Map<string, number>();
  let slowest = 0;
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const random = randomOf(seed);
    const bytes = damaged(random);
    const started = performance.now();
    try {
      lookAt(parseCapture(bytes, "fuzz.json").view, random);
      counts.views++;
    } catch (error) {
      if (!(error instanceof P2pdmaError)) throw new Error(`seed ${seed}: ${error}`, { cause: error });
      assert.is(error.code, "BAD_CAPTURE", `seed ${seed}`);
      assert.ok(
        error.message.length < 1000 && /^[\x20-\x7e…]*$/.test(error.message),
        `seed ${seed}: ${error.message}`,
      );
      counts.errors++;
      const kind = error.message.replace(/"[^"]*"/g, "").replace(/\d+/g, "N");
      messages.set(kind, (messages.get(kind) ?? 0) + 1);
    }
    const elapsed = performance.now() - started;
    slowest = Math.max(slowest, elapsed);
    assert.ok(elapsed < DEADLINE_MS, `seed ${seed} took ${elapsed.toFixed(0)} ms`);
  }
  console.log(
    `${counts.views} views, ${counts.errors} errors of ${messages.size} kinds, slowest ${slowest.toFixed(0)} ms`,
  );
  assert.ok(counts.views > ROUNDS / 20, "too few get past the parser to test what is behind it");
  assert.ok(messages.size > 10, [...messages.keys()].join("\n"));
});

const absurd: [string, () => string][] = [
  [
    "a million digits for a number",
    () => withFile("/sys/bus/pci/devices/0000:03:00.0/class", "9".repeat(1_000_000)),
  ],
  [
    "a million hexadecimal digits",
    () => withFile("/sys/bus/pci/devices/0000:03:00.0/vendor", `0x${"f".repeat(1_000_000)}`),
  ],
  [
    "a resource file of a hundred thousand lines",
    () => withFile("/sys/bus/pci/devices/0000:03:00.0/resource", "0x1 0x2 0x200\n".repeat(70_000)),
  ],
  ["mounts without end", () => withFile("/proc/self/mountinfo", "- - - ".repeat(170_000))],
  ["twenty thousand functions", manyNames],
  ["bridges as deep as a path can be", deepChain],
];
for (const [what, make] of absurd) {
  test(`a capture with ${what} ends in time`, () => {
    const started = performance.now();
    try {
      lookAt(parseCapture(Buffer.from(make()), "absurd.json").view, randomOf(1));
    } catch (error) {
      assert.instance(error, P2pdmaError);
    }
    const elapsed = performance.now() - started;
    console.log(`${elapsed.toFixed(0)} ms`);
    assert.ok(elapsed < 10_000, `${elapsed.toFixed(0)} ms`);
  });
}

function withFile(path: string, content: string): string {
  const parts = JSON.parse(originals[0] ?? "") as Parts;
  assert.ok(path in parts.files, path);
  parts.files[path] = content;
  return JSON.stringify(parts);
}

function manyNames(): string {
  const parts = JSON.parse(originals[0] ?? "") as Parts;
  const names = Array.from(
    { length: 20_000 },
    (_, index) =>
      `${(index >> 16).toString(16).padStart(4, "0")}:${((index >> 8) & 0xff).toString(16).padStart(2, "0")}:${((index >> 3) & 0x1f).toString(16).padStart(2, "0")}.${index & 7}`,
  );
  parts.lists["/sys/bus/pci/devices"] = names;
  for (const name of names) parts.links[`/sys/bus/pci/devices/${name}`] = `/sys/devices/pci0000:00/${name}`;
  return JSON.stringify(parts);
}

function deepChain(): string {
  const parts = JSON.parse(originals[0] ?? "") as Parts;
  const names = Array.from({ length: 300 }, (_, index) => `${(0x1000 + index).toString(16)}:01:00.0`);
  parts.lists["/sys/bus/pci/devices"] = names;
  let at = "/sys/devices/pci1000:00";
  for (const name of names) {
    at += `/${name}`;
    parts.links[`/sys/bus/pci/devices/${name}`] = at;
  }
  return JSON.stringify(parts);
}

test.run();
