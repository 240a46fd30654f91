// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type ChunkLimits, chunkWithin } from "../../../../core/copy/chunk-size.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const NO_LIMITS: ChunkLimits = { commandBytes: undefined, stagingBytes: undefined, blockBytes: 512 };

for (const [what, wished, limits, chunk] of [
  ["keeps what nothing limits", 128 * KIB, {}, 128 * KIB],
  ["keeps what just fits", 128 * KIB, { commandBytes: 128 * KIB, stagingBytes: 2 * MIB }, 128 * KIB],
  ["goes in one command", 128 * KIB, { commandBytes: 64 * KIB }, 64 * KIB],
  ["goes in one command of an odd limit", 128 * KIB, { commandBytes: 100 * KIB }, 64 * KIB],
  ["lets 16 into little memory", 128 * KIB, { stagingBytes: 2 * MIB - 128 * KIB }, 64 * KIB],
  ["ends at 16 KiB", 128 * KIB, { commandBytes: 4 * KIB, stagingBytes: 64 * KIB }, 16 * KIB],
  ["ends at a block", 128 * KIB, { blockBytes: 64 * KIB, stagingBytes: 64 * KIB }, 64 * KIB],
  ["never grows", 16 * KIB, { blockBytes: 4 * KIB, stagingBytes: 1024 * MIB }, 16 * KIB],
] as const) {
  test(`chunkWithin() ${what}`, () => assert.is(chunkWithin(wished, { ...NO_LIMITS, ...limits }), chunk));
}

test.run();
