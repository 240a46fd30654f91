// SPDX-License-Identifier: MIT
import type { MigrateReport } from "../core/migrate/report.ts";
import { element, escapeXml, group, rect, text } from "./svg.ts";

const WIDTH = 1080;
const LABELS = 190;
const LANE = 24;
const AXIS = 26;
const MOST_LANES = 200;
const STEPS_SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 604800];

/** When each pair was copied, the last attempt at it; empty when none was. */
export function renderTimeline({ pairs, startedAt, endedAt }: MigrateReport): string {
  const lanes = pairs.flatMap((pair) =>
    pair.startedAt === null
      ? []
      : [
          {
            pair,
            from: Date.parse(pair.startedAt),
            to: Date.parse(pair.endedAt ?? endedAt ?? pair.startedAt),
          },
        ],
  );
  if (lanes.length === 0) return "";
  const shown = lanes.slice(0, MOST_LANES);
  const start = Math.min(...shown.map(({ from }) => from));
  const end = Math.max(
    ...shown.map(({ to }) => to),
    endedAt ? Date.parse(endedAt) : Date.parse(startedAt),
    start + 1,
  );
  const x = (time: number) => LABELS + ((time - start) / (end - start)) * (WIDTH - LABELS - 8);
  const height = AXIS + shown.length * LANE + 4;
  const rows = shown.map(({ pair, from, to }, index) => {
    const y = AXIS + index * LANE;
    const width = Math.max(3, x(to) - x(from));
    const words = `${pair.name}: ${pair.state}, ${((to - from) / 1000).toFixed(1)} s`;
    return group(
      { class: `lane ${pair.state}` },
      rect(0, y, WIDTH, LANE, { class: "back" }),
      text(4, y + 16, clip(pair.name)),
      rect(x(from), y + 5, width, LANE - 10, { class: "bar", rx: 3 }).replace(
        "/>",
        `>${element("title", {}, escapeXml(words))}</rect>`,
      ),
    );
  });
  const axis = ticks((end - start) / 1000).map((seconds) => {
    const at = x(start + seconds * 1000);
    const line = element("line", { x1: at, x2: at, y1: AXIS - 6, y2: height, class: "axis" });
    return line + text(at + 3, AXIS - 10, spell(seconds), { class: "tick" });
  });
  const attributes = {
    viewBox: `0 0 ${WIDTH} ${height}`,
    width: "100%",
    role: "img",
    "aria-label": "Timeline",
  };
  const more =
    lanes.length > shown.length ? `<p class="dim">and ${lanes.length - shown.length} more</p>` : "";
  return `${element("svg", attributes, group({}, ...axis) + group({}, ...rows))}${more}`;
}

function clip(name: string): string {
  return name.length > 26 ? `${name.slice(0, 25)}…` : name;
}

/** Round times, six or so. */
function ticks(seconds: number): number[] {
  const step = STEPS_SECONDS.find((candidate) => seconds / candidate <= 8) ?? Math.ceil(seconds / 8);
  return Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => index * step);
}

function spell(seconds: number): string {
  if (seconds < 60 || seconds % 60 !== 0) return `${seconds} s`;
  return seconds % 3600 === 0 ? `${seconds / 3600} h` : `${seconds / 60} min`;
}
