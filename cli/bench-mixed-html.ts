// SPDX-License-Identifier: MIT
import type { MixedDocument, MixedPointDocument } from "../core/bench/mixed-document.ts";
import { type Chart, renderChart, type Series } from "./bench-chart.ts";
import { curveOf, latencyChart } from "./bench-html.ts";
import { mixedNotes, mixedTable, mixedTitle } from "./bench-mixed-text.ts";
import { machineSection, notes, page, section, table, tile } from "./bench-page.ts";
import { logScale } from "./bench-scale.ts";
import { digits, formatNs } from "./bench-words.ts";
import { escapeXml } from "./svg.ts";

/** The answer as one page: verdicts, latency over the share of p2pmem, and the distributions. */
export function renderMixedHtml(document: MixedDocument): string {
  const { title, details } = mixedTitle(document);
  const { head, rows } = mixedTable(document);
  const pairs = pairsOf(document);
  const heading = `<h1>${escapeXml(title)}</h1><div class="dim">${escapeXml(`${details} · ${document.startedAt}`)}</div>`;
  return page(`p2pdma bench mixed: ${title}`, [
    `<header>${heading}<div class="tiles">${pairs.map(verdictTile).join("")}</div></header>`,
    section("What was promised, what was refused", notes(mixedNotes(document))),
    section("Time of a request over the share of p2pmem", charts(pairs.flatMap(shareChart))),
    section("How that time is spread", charts(pairs.flatMap(spreadChart))),
    section(
      "All mixtures",
      table(
        head,
        rows.map((row) => row.map(escapeXml)),
        head.length,
      ),
    ),
    machineSection(document.machine),
  ]);
}

/** A reader and a provider. */
interface Pair {
  readonly name: string;
  readonly points: readonly MixedPointDocument[];
}

function pairsOf({ points }: MixedDocument): Pair[] {
  const nameOf = ({ reader, provider, isOwner }: MixedPointDocument) =>
    `${reader} into ${isOwner ? "its own memory" : `memory of ${provider}`}`;
  const names = [...new Set(points.map(nameOf))];
  return names.map((name) => ({ name, points: points.filter((point) => nameOf(point) === name) }));
}

function verdictTile({ name, points }: Pair): string {
  const mixed = points.filter(({ layout }) => layout !== "plain");
  const works = mixed.filter(({ verdict }) => verdict === "works").length;
  const isAll = works === mixed.length;
  return tile(isAll ? "mixing works" : `${works} of ${mixed.length} mixtures work`, name, isAll ? 2 : 4);
}

function charts(list: readonly Chart[]): string {
  return list.length === 0 ? "" : `<div class="charts">${list.map(renderChart).join("\n")}</div>`;
}

const LAYOUTS = ["alternating", "halves", "single"] as const;
const PERCENTILES = ["p50", "p99"] as const;

/** Medians as lines with the 99th percentile above them; what is all of one kind belongs to every layout. */
function shareChart({ name, points }: Pair): Chart[] {
  const series = LAYOUTS.flatMap((layout, tone): Series[] => {
    const mixed = points.filter((point) => point.latency && point.layout === layout);
    const ends = points.filter((point) => point.layout === "plain" && layout !== "single");
    if (mixed.length === 0) return [];
    const along = [...mixed, ...ends].toSorted((a, b) => a.p2pPercent - b.p2pPercent);
    return PERCENTILES.flatMap((at) => {
      const places = along.map(({ p2pPercent, latency }) => ({
        x: p2pPercent,
        y: latency?.percentilesNs[at] ?? 0,
      }));
      const known = places.filter(({ y }) => y > 0);
      const style = at === "p99" ? "rings" : layout === "single" ? "dots" : "line";
      return known.length === 0 ? [] : [{ name: `${layout}, ${at}`, tone, points: known, style }];
    });
  });
  if (series.length === 0) return [];
  const times = series.flatMap(({ points }) => points.map(({ y }) => y));
  const ticks = [0, 25, 50, 75, 100].map((value) => ({ value, label: `${digits(value)} %` }));
  return [
    {
      ...{
        title: name,
        series,
        hasMarks: true,
        xTitle: "pages that are p2pmem",
        yTitle: "time of a request",
      },
      x: { at: (value) => value / 100, ticks },
      y: logScale(Math.min(...times), Math.max(...times), formatNs),
    },
  ];
}

/** All RAM, all p2pmem, and the mixtures nearest to one half. */
function spreadChart({ name, points }: Pair): Chart[] {
  const known = points.filter(({ latency }) => latency);
  const nearest = (layout: string) =>
    known
      .filter((point) => point.layout === layout)
      .toSorted((a, b) => Math.abs(a.p2pPercent - 50) - Math.abs(b.p2pPercent - 50))
      .slice(0, 1);
  const chosen = [...known.filter(({ layout }) => layout === "plain"), ...LAYOUTS.flatMap(nearest)];
  const curves = chosen.flatMap((point, tone) =>
    point.latency ? [curveOf(nameOf(point), tone, point.latency)] : [],
  );
  return curves.length === 0 ? [] : [latencyChart(name, curves)];
}

function nameOf({ layout, p2pPercent }: MixedPointDocument): string {
  if (layout === "plain") return p2pPercent === 0 ? "all RAM" : "all p2pmem";
  return `${digits(p2pPercent)} % ${layout}`;
}
