// SPDX-License-Identifier: MIT
// Copies side by side through one provider: what they move together, to what one moves alone.
import type { Figure } from "./figures.ts";
import { inGuest, p2pdma, type Shell } from "./programs.ts";
import { inTurns, ratioOf, withSpread } from "./statistics.ts";

const PAIRS = [
  ["A", "B"],
  ["C", "D"],
  ["E", "F"],
  ["G", "H"],
] as const;
const ROUNDS = 5;
const ALONE_BYTES = 6 * 2 ** 30;
const EACH_BYTES = 3 * 2 ** 30;

export async function pairs(): Promise<Figure[]> {
  return inGuest({ topology: "fast-pairs" }, async (shell) => {
    const { one = [], four = [] } = await inTurns(ROUNDS, {
      one: () => together(shell, PAIRS.slice(0, 1), ALONE_BYTES),
      four: () => together(shell, PAIRS, EACH_BYTES),
    });
    const detail = `${withSpread(four, 0)} to ${withSpread(one, 0)} MB/s`;
    const name = "4 pairs at once: sum of their throughput to 1 pair's";
    return [{ name, value: ratioOf(four, one), required: { atLeast: 1 }, detail }];
  });
}

interface Moment {
  readonly atMs: number;
  readonly bytes: number;
}

/** MB/s of all together, in the time in which every one of them is moving data. */
async function together(
  shell: Shell,
  of: readonly (readonly [string, string])[],
  lengthBytes: number,
): Promise<number> {
  const copies = of.map(
    ([from, to]) =>
      `${p2pdma} copy --via p2p --depth 8 --length ${lengthBytes} --allow-write --progress=json ` +
      `/dev/lab/${from} /dev/lab/${to} 2>/tmp/${from}.events >/dev/null & pids="$pids $!"`,
  );
  const events = of.map(([from]) => `cat /tmp/${from}.events; echo ,BREAK,`).join("; ");
  const output = await shell.run(
    `pids=; ${copies.join("\n")}\nfor pid in $pids; do wait $pid; done; ${events}`,
  );
  const courses = output.split(",BREAK,").slice(0, of.length).map(courseOf);
  const from = Math.max(...courses.map((course) => course[0]?.atMs ?? Number.NaN));
  const to = Math.min(...courses.map((course) => course.at(-1)?.atMs ?? Number.NaN));
  if (!(to - from > 2000)) throw new Error(`the copies were at work together for ${to - from} ms only`);
  const bytes = courses.reduce((sum, course) => sum + bytesAt(course, to) - bytesAt(course, from), 0);
  return bytes / (to - from) / 1e3;
}

function courseOf(events: string): Moment[] {
  const progress = events
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line))
    .filter(({ event, phase }) => event === "progress" && phase === "copy");
  return progress.map(({ at, bytesDone }) => ({ atMs: Date.parse(at), bytes: Number(bytesDone) }));
}

/** Between two moments it went evenly. */
function bytesAt(course: readonly Moment[], atMs: number): number {
  const after = course.findIndex((moment) => moment.atMs >= atMs);
  const next = course[after];
  const last = course[after - 1] ?? next;
  if (!next || !last) throw new Error("no progress was told");
  if (next.atMs === last.atMs) return next.bytes;
  return last.bytes + ((next.bytes - last.bytes) * (atMs - last.atMs)) / (next.atMs - last.atMs);
}
