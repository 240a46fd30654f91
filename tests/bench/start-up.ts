// SPDX-License-Identifier: MIT
import type { Figure } from "./figures.ts";
import { hostShell, measured, p2pdma } from "./programs.ts";
import { inTurns, ratioOf, withSpread } from "./statistics.ts";

const ROUNDS = 30;

export async function startUp(): Promise<Figure[]> {
  const contestants = {
    p2pdma: async () => (await measured(hostShell, `${p2pdma} --version`)).usage.wallMs,
    node: async () => (await measured(hostShell, "node -e 0")).usage.wallMs,
  };
  await inTurns(2, contestants);
  const { p2pdma: ours = [], node = [] } = await inTurns(ROUNDS, contestants);
  const detail = `${withSpread(ours, 0)} to ${withSpread(node, 0)} ms`;
  const name = "p2pdma --version to node -e 0, wall time";
  return [{ name, value: ratioOf(ours, node), required: { atMost: 1.5 }, detail }];
}
