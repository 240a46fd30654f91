// SPDX-License-Identifier: MIT
import type { BenchDocument, LatencyDocument, PointDocument } from "../core/bench/document.ts";
import { formatBytes } from "../core/units.ts";
import { sparkline } from "./bench-sparkline.ts";
import { digits, formatNs, formatRate, formatShare, latenciesOf, likeIt } from "./bench-words.ts";
import { plainTable } from "./table.ts";

/** The result for a terminal. */
export function renderBench(document: BenchDocument, isUnicode: boolean): string {
  const { title, details } = benchTitle(document);
  const { head, rows } = benchTable(document);
  const notes = benchNotes(document).map((line) => `${line}\n`);
  return [`${title}\n${details}\n`, plainTable(head, rows), curves(document, isUnicode), notes.join("")]
    .filter(Boolean)
    .join("\n");
}

/** What was measured, and how and where. */
export function benchTitle(
  document: Pick<BenchDocument, "kind" | "pattern" | "source" | "destination" | "machine" | "timing">,
) {
  const { kind, pattern, source, destination, machine, timing } = document;
  const where = [source, destination].filter(Boolean).join(" to ");
  const host = [machine.host, machine.kernel && `Linux ${machine.kernel}`, machine.cpu].filter(Boolean);
  return { title: `${pattern} ${kind}, ${where}`, details: [timingWords(timing), ...host].join(", ") };
}

export function timingWords({ sizeBytes, timeMs, repeats }: BenchDocument["timing"]): string {
  const much = sizeBytes === null ? `${(timeMs ?? 0) / 1000} s` : formatBytes(BigInt(sizeBytes));
  return `${much} a point, ${repeats === 1 ? "once" : `${repeats} times`}`;
}

/** All points, a row each. */
export function benchTable(document: BenchDocument): { head: string[]; rows: string[][] } {
  const hasFio = document.fio.length > 0;
  const hasDram = document.dram.available;
  const head = ["memory", "chunk", "depth", "median", "spread", "p50", "p99", "p99.9", "p99.99"];
  head.push("CPU/GiB", "switches/GiB", "calls/GiB", "of link");
  if (hasDram) head.push("DRAM/GiB");
  if (hasFio) head.push("fio", "of fio");
  const rows = document.points.map((point) => [...row(point), ...more(document, point, hasDram, hasFio)]);
  return { head, rows };
}

function row(point: PointDocument): string[] {
  const { way, chunkBytes, depth, summary, problem } = point;
  const place = [way, formatBytes(chunkBytes), String(depth)];
  if (!summary) return [...place, problem ?? "-", ...Array.from({ length: 9 }, () => "")];
  const { bytesPerSecond, perGiB, linkShare } = summary;
  const each = (of: (latency: LatencyDocument) => number | null | undefined) => {
    const times = latenciesOf(point).map((latency) => formatNs(of(latency)));
    return times.every((time) => time === "-") ? "-" : times.join(" + ");
  };
  return [
    ...place,
    formatRate(bytesPerSecond.median),
    `±${formatShare(bytesPerSecond.deviation / bytesPerSecond.median)}`,
    ...["p50", "p99", "p99.9", "p99.99"].map((at) => each(({ percentilesNs }) => percentilesNs[at])),
    formatNs(perGiB.userNs + perGiB.systemNs),
    digits(perGiB.voluntarySwitches + perGiB.involuntarySwitches),
    digits(perGiB.systemCalls),
    formatShare(linkShare),
  ];
}

function more(document: BenchDocument, point: PointDocument, hasDram: boolean, hasFio: boolean): string[] {
  const cells: string[] = [];
  const { summary } = point;
  if (hasDram) cells.push(summary ? formatBytes(summary.perGiB.dramBytes ?? 0) : "");
  if (!hasFio) return cells;
  const fio = likeIt(document.fio, document, point);
  const share = fio && summary ? summary.bytesPerSecond.median / fio.bytesPerSecond : null;
  return [...cells, fio ? formatRate(fio.bytesPerSecond) : "-", formatShare(share)];
}

/** Throughput over depth, a row for each memory and chunk size; over chunk size where there is one depth. */
function curves(document: BenchDocument, isUnicode: boolean): string {
  const { points } = document;
  const most = Math.max(0, ...points.map(rateOf));
  const byDepth = distinct(points.map(({ depth }) => depth)).length > 1;
  const lines = distinct(points.map((point) => lineOf(point, byDepth)));
  const curves = lines.flatMap((line) => {
    const along = points.filter((point) => lineOf(point, byDepth) === line && point.summary);
    if (along.length < 2) return [];
    const first = along[0] as PointDocument;
    const last = along.at(-1) as PointDocument;
    const range = byDepth
      ? `depth ${first.depth} to ${last.depth}`
      : `chunk ${formatBytes(first.chunkBytes)} to ${formatBytes(last.chunkBytes)}`;
    const ends = `${formatRate(rateOf(first))} to ${formatRate(rateOf(last))}`;
    return [[line, sparkline(along.map(rateOf), most, isUnicode), range, ends]];
  });
  return curves.length === 0 ? "" : plainTable(["throughput", "", "", ""], curves);
}

function lineOf({ way, chunkBytes, depth }: PointDocument, byDepth: boolean): string {
  return `${way}, ${byDepth ? formatBytes(chunkBytes) : `depth ${depth}`}`;
}

function rateOf({ summary }: PointDocument): number {
  return summary?.bytesPerSecond.median ?? 0;
}

/** What the numbers must be read with. */
export function benchNotes(document: BenchDocument): string[] {
  const { refused, dram, ways, fio, points } = document;
  const unlike = fio.filter((result) => !points.some((point) => likeIt([result], document, point)));
  return [
    ...refused.map(({ id, reason }) => `${id}: not measured: ${reason}`),
    ...ways.flatMap(({ id, link }) => (link ? [`${id}: ${linkWords(link)}`] : [])),
    ...(dram.reason === null ? [] : [`DRAM traffic: not available here: ${dram.reason}`]),
    ...unlike.map(({ job, direction }) => `fio "${job}" (${direction}): no point here is like it`),
  ];
}

function linkWords({ pciAddress, speedGtps, width, bytesPerSecond }: Link): string {
  return `narrowest link ${pciAddress}, ${speedGtps} GT/s x${width}: ${formatRate(bytesPerSecond)}`;
}

type Link = NonNullable<BenchDocument["ways"][number]["link"]>;

function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
