// SPDX-License-Identifier: MIT
import type { BenchDocument, LatencyDocument, PointDocument } from "../core/bench/document.ts";
import { formatBytes } from "../core/units.ts";
import { type Chart, renderChart, type Series } from "./bench-chart.ts";
import { machineSection, notes, page, section, table, tile } from "./bench-page.ts";
import { doublingScale, linearScale, logScale, ninesScale, type Scale } from "./bench-scale.ts";
import { benchNotes, benchTable, benchTitle } from "./bench-text.ts";
import { formatNs, formatRate, likeIt } from "./bench-words.ts";
import { escapeXml } from "./svg.ts";

/** The result as one page with its curves. */
export function renderBenchHtml(document: BenchDocument): string {
  const { title, details } = benchTitle(document);
  const { head, rows } = benchTable(document);
  const heading = `<h1>${escapeXml(title)}</h1><div class="dim">${escapeXml(`${details} · ${document.startedAt}`)}</div>`;
  return page(`p2pdma bench: ${title}`, [
    `<header>${heading}<div class="tiles">${tiles(document)}</div></header>`,
    section("Throughput", charts(throughputCharts(document))),
    section("Latency", charts(latencyCharts(document))),
    section(
      "All points",
      table(
        head,
        rows.map((row) => row.map(escapeXml)),
        1,
      ),
    ),
    section("To be read with it", notes(benchNotes(document))),
    machineSection(document.machine),
  ]);
}

function charts(list: readonly Chart[]): string {
  return list.length === 0 ? "" : `<div class="charts">${list.map(renderChart).join("\n")}</div>`;
}

/** The best that each kind of memory reached. */
function tiles(document: BenchDocument): string {
  return document.ways
    .flatMap(({ id }, tone) => {
      const points = document.points.filter(({ way, summary }) => way === id && summary);
      const [best] = points.toSorted((a, b) => rateOf(b) - rateOf(a));
      if (!best) return [];
      const where = `${id}, at ${formatBytes(best.chunkBytes)} x ${best.depth}`;
      return [tile(formatRate(rateOf(best)), where, tone)];
    })
    .join("");
}

/** Over depth, a chart for each chunk size; and over chunk size, at the greatest depth. */
function throughputCharts(document: BenchDocument): Chart[] {
  const { points } = document;
  const [chunks, depths] = [valuesOf(points, "chunkBytes"), valuesOf(points, "depth")];
  const byDepth = chunks.flatMap((chunk) => {
    const title = `${formatBytes(chunk)} requests`;
    const along = points.filter(({ chunkBytes }) => chunkBytes === chunk);
    return depths.length < 2 ? [] : [throughputChart(document, title, along, "depth")];
  });
  if (chunks.length < 2)
    return byDepth.length > 0 ? byDepth : [throughputChart(document, "Throughput", points, "depth")];
  const deepest = depths.at(-1) ?? 1;
  const along = points.filter(({ depth }) => depth === deepest);
  return [throughputChart(document, `Depth ${deepest}`, along, "chunkBytes"), ...byDepth];
}

type Along = "depth" | "chunkBytes";

function throughputChart(
  document: BenchDocument,
  title: string,
  points: readonly PointDocument[],
  along: Along,
): Chart {
  const isDepth = along === "depth";
  const series = document.ways.flatMap(({ id }, tone): Series[] => {
    const own = points.filter(({ way, summary }) => way === id && summary);
    const fio = own.flatMap((point) => {
      const found = likeIt(document.fio, document, point);
      return found ? [{ x: point[along], y: found.bytesPerSecond }] : [];
    });
    const measured = own.map((point) => ({ x: point[along], y: rateOf(point), range: rangeOf(point) }));
    const loose = fio.length > 0 ? [{ name: `fio, ${id}`, tone, points: fio, style: "rings" as const }] : [];
    return measured.length > 0 ? [{ name: id, tone, points: measured }, ...loose] : [];
  });
  const label = (value: number) => (isDepth ? String(value) : formatBytes(value));
  return {
    ...{
      title,
      series,
      y: rateScale(series),
      hasMarks: true,
      x: doublingScale(valuesOf(points, along), label),
    },
    ...{
      xTitle: isDepth ? "requests in flight" : "bytes of a request",
      yTitle: "throughput, bars from least to most",
    },
  };
}

const RATE_UNITS = [1, 1024, 2 ** 20, 2 ** 30, 2 ** 40];

function rateScale(series: readonly Series[]): Scale {
  const rates = series.flatMap(({ points }) => points.flatMap(({ y, range }) => [y, range?.[1] ?? y]));
  return linearScale(Math.max(1, ...rates), RATE_UNITS, (value) => (value === 0 ? "0" : formatRate(value)));
}

function rateOf({ summary }: PointDocument): number {
  return summary?.bytesPerSecond.median ?? 0;
}

function rangeOf({ summary }: PointDocument): readonly [number, number] {
  return [summary?.bytesPerSecond.least ?? 0, summary?.bytesPerSecond.most ?? 0];
}

/** For each chunk size: alone, and at the greatest depth. */
function latencyCharts(document: BenchDocument): Chart[] {
  const { points } = document;
  const depths = valuesOf(points, "depth");
  const shown = [...new Set([depths[0], depths.at(-1)])];
  const places = valuesOf(points, "chunkBytes").flatMap((chunk) => shown.map((depth) => ({ chunk, depth })));
  return places.flatMap(({ chunk, depth }) => {
    const here = points.filter((point) => point.chunkBytes === chunk && point.depth === depth);
    const curves = here.flatMap((point) => curvesOf(document, point));
    return curves.length === 0
      ? []
      : [latencyChart(`${formatBytes(chunk)} requests, depth ${depth}`, curves)];
  });
}

/** A copy has two: its second one takes the tones behind those of all memories. */
function curvesOf({ ways, kind }: BenchDocument, { way, summary }: PointDocument): Series[] {
  const tone = ways.findIndex(({ id }) => id === way);
  const directions = kind === "copy" ? (["read", "write"] as const) : ([kind] as const);
  return directions.flatMap((direction, index) => {
    const latency = summary?.latency[direction];
    const name = kind === "copy" ? `${way}, ${direction}` : way;
    return latency ? [curveOf(name, tone + index * ways.length, latency)] : [];
  });
}

/** One request in ten thousand at 99.99 %: the axis gives each nine the same room. */
export function latencyChart(title: string, series: readonly Series[]): Chart {
  const all = series.flatMap(({ points }) => points);
  const times = all.map(({ y }) => y);
  return {
    ...{ title, series, hasMarks: false },
    x: ninesScale(Math.max(...all.map(({ x }) => x))),
    y: logScale(Math.min(...times), Math.max(...times), formatNs),
    ...{ xTitle: "share of the requests that took no longer", yTitle: "time of a request" },
  };
}

export function curveOf(name: string, tone: number, { curve }: LatencyDocument): Series {
  return { name, tone, points: curve.map(({ percentile, ns }) => ({ x: percentile, y: ns })) };
}

function valuesOf(points: readonly PointDocument[], key: Along): number[] {
  return [...new Set(points.map((point) => point[key]))].sort((a, b) => a - b);
}
