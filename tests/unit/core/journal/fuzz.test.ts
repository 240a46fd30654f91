// SPDX-License-Identifier: MIT
// Thousands of journals by somebody who means harm: damaged, and signed anew so that the damage is looked at. Each
// ends in one clear error, or in a journal that makes sense. The seed is fixed, so a failure can be repeated.
import { createHash } from "node:crypto";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { P2pdmaError } from "../../../../core/errors.ts";
import { packBits, stretches } from "../../../../core/journal/bitmap.ts";
import { dataExtents, durableChunks, type Journal, parseJournal } from "../../../../core/journal/journal.ts";
import { type Random, randomOf } from "../../random.ts";

const ROUNDS = 4000;
const DEADLINE_MS = 2000;
const CHUNK = 65536;

const end = (path: string) => ({
  ...{ path, kind: "block", sizeBytes: "8388608", blockBytes: 512, model: "M", serial: "S", wwid: "eui.1" },
  ...{ alias: null, partition: 1, startBytes: "1048576", inode: null, modifiedNs: null, bornNs: null },
});

const original = {
  ...{
    schema: "p2pdma.journal/1",
    createdWith: "p2pdma 0",
    createdAt: "a",
    updatedAt: "b",
    state: "stopped",
  },
  process: { pid: 1, startTicks: "2", bootId: "3" },
  source: end("/dev/a"),
  destination: end("/dev/b"),
  range: { srcOffset: "0", dstOffset: "4096", lengthBytes: "8388608" },
  ...{ inPlace: false, chunkBytes: CHUNK },
  options: {
    ...{ via: "auto", provider: null, allocator: null, engine: "uring", depth: null, retries: 3 },
    ...{ retryDelayMs: 100, verify: null, hash: null, sparse: "auto", onError: "stop", mapfile: null },
    ...{ checkpointMs: 5000, overwrite: [] },
  },
  data: [
    ["0", "4194304"],
    ["5242880", "1048576"],
  ],
  durableBytes: "131072",
  bitmap: packBits(Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
  badRanges: [{ srcOffset: "65536", lengthBytes: "512", direction: "read", error: "EIO" }],
};

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const WILD: readonly Json[] = [
  ...[
    null,
    true,
    -1,
    0.5,
    1e308,
    4096,
    "",
    "-1",
    "0x10",
    "9".repeat(19),
    "9".repeat(40),
    "\0",
    "../../etc/passwd",
  ],
  ...[
    "9223372036854775808",
    "18446744073709551615",
    [],
    {},
    [[]],
    [["0", "0"]],
    packBits(Buffer.alloc(1 << 20)),
  ],
  ...[
    [
      ["0", "8388608"],
      ["4096", "4096"],
    ],
    "AAAA",
    "====",
    "A".repeat(100_000),
    { __proto__: null },
  ],
];

/** A place in the document: what holds it, and its key there. */
function pick(random: Random, value: Json): { holder: Record<string, Json>; key: string } | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const holder = value as Record<string, Json>;
  const keys = Object.keys(holder);
  const key = keys[random(Math.max(1, keys.length))];
  if (key === undefined) return undefined;
  return (random(2) === 0 ? pick(random, holder[key] ?? null) : undefined) ?? { holder, key };
}

function damage(random: Random, document: Json): void {
  const place = pick(random, document);
  if (!place) return;
  const { holder, key } = place;
  const value = holder[key];
  switch (random(4)) {
    case 0:
      delete holder[key];
      break;
    case 1:
      holder[`${key}x`] = value ?? null;
      break;
    case 2:
      if (typeof value === "string" && /^\d+$/.test(value))
        holder[key] = String(BigInt(value) + BigInt(random(3) - 1) * 512n);
      break;
    default:
      holder[key] = WILD[random(WILD.length)] ?? null;
  }
}

function signed(document: Json): string {
  const sha256 = createHash("sha256").update(JSON.stringify(document)).digest("hex");
  return JSON.stringify({ ...(document as object), sha256 });
}

function checkSense(journal: Journal): void {
  const extents = dataExtents(journal);
  const size = BigInt(journal.source.sizeBytes);
  let at = 0n;
  for (const { srcOffset, lengthBytes } of extents) {
    assert.ok(srcOffset >= at && srcOffset + lengthBytes <= size);
    at = srcOffset + lengthBytes;
  }
  const bitmap = durableChunks(journal);
  const sum = [true, false]
    .flatMap((done) => stretches(extents, journal.chunkBytes, bitmap, done))
    .reduce((total, { lengthBytes }) => total + lengthBytes, 0n);
  assert.is(
    sum,
    extents.reduce((total, { lengthBytes }) => total + lengthBytes, 0n),
  );
}

test(`parseJournal() answers ${ROUNDS} damaged journals with sense or one clear error`, () => {
  const random = randomOf(7);
  let accepted = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const document = JSON.parse(JSON.stringify(original)) as Json;
    for (let times = random(4); times > 0; times--) damage(random, document);
    const started = performance.now();
    try {
      checkSense(parseJournal(signed(document), "j"));
      accepted++;
    } catch (error) {
      assert.instance(error, P2pdmaError, `round ${round}: ${error}`);
      assert.is((error as P2pdmaError).code, "BAD_JOURNAL");
      assert.match((error as P2pdmaError).message, /^Cannot use journal "j": \S/);
    }
    assert.ok(performance.now() - started < DEADLINE_MS, `round ${round} took too long`);
  }
  assert.ok(accepted > ROUNDS / 10 && accepted < ROUNDS, `${accepted} accepted`);
});

test.run();
