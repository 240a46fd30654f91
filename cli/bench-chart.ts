// SPDX-License-Identifier: MIT
import type { Scale } from "./bench-scale.ts";
import { element, escapeXml, group, polyline, text } from "./svg.ts";

/** One line of a chart; `tone` picks its colour, mark and dashes. */
export interface Series {
  readonly name: string;
  readonly tone: number;
  readonly points: readonly ChartPoint[];
  /** dots and rings have no line: for what belongs to no row of values, or was measured by somebody else. */
  readonly style?: "line" | "dots" | "rings";
}

export interface ChartPoint {
  readonly x: number;
  readonly y: number;
  /** Ends of the spread. */
  readonly range?: readonly [low: number, high: number];
}

export interface Chart {
  readonly title: string;
  readonly x: Scale;
  readonly y: Scale;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly series: readonly Series[];
  readonly hasMarks: boolean;
}

const [WIDTH, HEIGHT] = [520, 300];
const PLOT = { left: 74, right: 32, top: 30, bottom: 44 };
const [PLOT_WIDTH, PLOT_HEIGHT] = [WIDTH - PLOT.left - PLOT.right, HEIGHT - PLOT.top - PLOT.bottom];
const MARK = 4;
/** Room for the name of the y axis above the plot. */
const TITLE_Y = 14;

/** Colours are told apart by marks and dashes, too, for print and for eyes that see fewer of them. */
export const TONES = 6;

/** A chart with its legend as one figure of HTML. */
export function renderChart(chart: Chart): string {
  const lines = chart.series.map((series) => drawSeries(chart, series));
  const picture = element(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": describe(chart) },
    [grid(chart), ...lines].join("\n"),
  );
  const caption = element("figcaption", {}, words(chart.title) + legend(chart));
  return element("figure", { class: "chart" }, `${caption}\n${picture}`);
}

function describe({ title, xTitle, yTitle, series }: Chart): string {
  return `${title}: ${yTitle} over ${xTitle}, for ${series.map(({ name }) => name).join(", ")}`;
}

function grid({ x, y, xTitle, yTitle }: Chart): string {
  const [left, right, bottom] = [PLOT.left, WIDTH - PLOT.right, HEIGHT - PLOT.bottom];
  const rows = y.ticks.flatMap(({ value, label }) => {
    const at = place(y, value, "y");
    return [
      element("line", { class: "grid", x1: left, x2: right, y1: at, y2: at }),
      text(left - 8, at + 4, label, { "text-anchor": "end", class: "tick" }),
    ];
  });
  const columns = x.ticks.flatMap(({ value, label }) => {
    const at = place(x, value, "x");
    return [
      element("line", { class: "grid", x1: at, x2: at, y1: bottom, y2: bottom + 4 }),
      text(at, bottom + 17, label, { "text-anchor": "middle", class: "tick" }),
    ];
  });
  const titles = [
    text(left + PLOT_WIDTH / 2, HEIGHT - 6, xTitle, { "text-anchor": "middle", class: "axis" }),
    text(left, TITLE_Y, yTitle, { class: "axis" }),
  ];
  return group({}, ...rows, ...columns, ...titles);
}

function drawSeries({ x, y, hasMarks }: Chart, { tone, points, style = "line" }: Series): string {
  const places = points.map((point) => [place(x, point.x, "x"), place(y, point.y, "y")] as const);
  const spreads = points.flatMap(({ range }, index) => {
    const at = places[index]?.[0] ?? 0;
    if (!range) return [];
    return [element("line", { class: "spread", x1: at, x2: at, ...ends(y, range) })];
  });
  const line = style !== "line" ? [] : [polyline(places, { class: "line" })];
  const marks = hasMarks || style !== "line" ? places.map(([px, py]) => mark(tone, px, py)) : [];
  return group({ class: classOf(tone, style) }, ...spreads, ...line, ...marks);
}

function ends(y: Scale, [low, high]: readonly [number, number]): { y1: number; y2: number } {
  return { y1: place(y, low, "y"), y2: place(y, high, "y") };
}

function place(scale: Scale, value: number, axis: "x" | "y"): number {
  const share = scale.at(value);
  return axis === "x" ? PLOT.left + share * PLOT_WIDTH : HEIGHT - PLOT.bottom - share * PLOT_HEIGHT;
}

function classOf(tone: number, style: Series["style"]): string {
  return style === "line" ? `tone${tone % TONES}` : `tone${tone % TONES} ${style}`;
}

/** A circle, a square, a diamond or a triangle. */
function mark(tone: number, x: number, y: number): string {
  const [a, b] = [MARK, MARK * 1.35];
  const shapes = [
    () => element("circle", { class: "mark", cx: x, cy: y, r: a }),
    () => element("rect", { class: "mark", x: x - a, y: y - a, width: 2 * a, height: 2 * a }),
    () => element("polygon", { class: "mark", points: path(x, y - b, x + b, y, x, y + b, x - b, y) }),
    () => element("polygon", { class: "mark", points: path(x, y - b, x + b, y + a, x - b, y + a) }),
  ];
  return (shapes[tone % shapes.length] ?? shapes[0])?.() ?? "";
}

function path(...numbers: number[]): string {
  return numbers.map((value) => Math.round(value * 10) / 10).join(" ");
}

function legend({ series, hasMarks }: Chart): string {
  const items = series.map(({ name, tone, style = "line" }) => {
    const line = style === "line" ? element("line", { class: "line", x1: 0, x2: 32, y1: 7, y2: 7 }) : "";
    const shape = line + (hasMarks || style !== "line" ? mark(tone, 16, 7) : "");
    const key = element("svg", { class: "key", viewBox: "0 0 32 14", "aria-hidden": "true" }, shape);
    return element("li", { class: classOf(tone, style) }, key + words(name));
  });
  return element("ul", { class: "legend" }, items.join(""));
}

function words(plain: string): string {
  return element("span", {}, escapeXml(plain));
}
