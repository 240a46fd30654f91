// SPDX-License-Identifier: MIT
import type { ReceiptEnd } from "../core/copy/receipt.ts";
import type { PairState } from "../core/migrate/job-file.ts";
import type { MigrateReport, ReportedPair } from "../core/migrate/report.ts";
import { formatBytes } from "../core/units.ts";
import { REPORT_STYLE } from "./migrate-html-style.ts";
import { renderTimeline } from "./migrate-html-timeline.ts";
import { element, escapeXml } from "./svg.ts";

/** A job's report as one HTML file that needs nothing else: for a screen, for paper, without scripts. */
export function renderReportHtml(report: MigrateReport): string {
  const title = `${report.plan.split("/").at(-1) ?? report.plan}: p2pdma migrate`;
  const body = [
    head(report),
    section("To do", todo(report)),
    section("When", renderTimeline(report)),
    section("Pairs", pairTable(report)),
    report.providers.length > 0 ? section("p2pmem", providerTable(report)) : "",
    section("In detail", report.pairs.map(detail).join("\n")),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeXml(title)}</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
${body.join("\n")}
</body>
</html>
`;
}

function section(title: string, content: string): string {
  return content === "" ? "" : `<section>${element("h2", {}, title)}${content}</section>`;
}

function head(report: MigrateReport): string {
  const { totals, startedAt, endedAt } = report;
  const [moved, ram, within, before] = (["peerToPeer", "throughRam", "withinDrive", "before"] as const).map(
    (way) => report.pairs.reduce((sum, { receipt }) => sum + BigInt(receipt?.bytes[way] ?? 0), 0n),
  ) as [bigint, bigint, bigint, bigint];
  const seconds = endedAt === null ? undefined : (Date.parse(endedAt) - Date.parse(startedAt)) / 1000;
  const verdict = verdictOf(report);
  const tiles = [
    tile(`${totals.done} of ${totals.pairs}`, "pairs done"),
    tile(formatBytes(BigInt(totals.bytesDone)), `copied of ${formatBytes(BigInt(totals.bytesTotal))}`),
    tile(formatBytes(moved), "moved peer-to-peer"),
    tile(formatBytes(ram), "moved through RAM"),
    ...(within > 0n ? [tile(formatBytes(within), "copied within drives")] : []),
    ...(before > 0n ? [tile(formatBytes(before), "by earlier runs of these")] : []),
    ...(seconds === undefined ? [] : [tile(duration(seconds), report.runs > 1 ? "last run" : "in all")]),
  ];
  const runs = report.runs > 1 ? `, run ${report.runs}` : "";
  const times = `${clock(startedAt)}${endedAt ? ` to ${clock(endedAt)}` : ""}${runs}`;
  return `<header>
<h1>${escapeXml(report.plan.split("/").at(-1) ?? "")}</h1>
<div class="dim"><code>${escapeXml(report.plan)}</code> · ${escapeXml(times)}</div>
<p class="verdict ${verdict.state}">${escapeXml(verdict.words)}</p>
<div class="share" role="img" aria-label="${escapeXml(stateWords(report))}">${shares(report)}</div>
<div class="dim">${escapeXml(stateWords(report))}</div>
<div class="tiles">${tiles.join("")}</div>
</header>`;
}

/** What a person has to see to, before anything else. */
function todo({ pairs }: MigrateReport): string {
  const items = pairs.flatMap((pair) => {
    if (!pair.next) return [];
    const why = pair.problem ? ` <span class="trouble">${escapeXml(pair.problem.message)}</span><br>` : " ";
    return `<li><a href="#${anchor(pair)}">${escapeXml(pair.name)}</a>:${why}${escapeXml(pair.next)}</li>`;
  });
  return items.length === 0 ? "" : `<ul>${items.join("\n")}</ul>`;
}

const ORDER: readonly PairState[] = [
  ...(["done", "bad-ranges", "running", "waiting", "stopped", "skipped", "failed"] as const),
];

function shares({ totals }: MigrateReport): string {
  return ORDER.filter((state) => totals[state] > 0)
    .map((state) => `<i class="${state}" style="flex: ${totals[state]}"></i>`)
    .join("");
}

function stateWords({ totals }: MigrateReport): string {
  return ORDER.filter((state) => totals[state] > 0)
    .map((state) => `${totals[state]} ${state}`)
    .join(", ");
}

function verdictOf(report: MigrateReport): { state: PairState; words: string } {
  const { state, problem, totals, exitCode } = report;
  if (state === "running") return { state: "running", words: "Running: this is a look at it on its way." };
  if (state === "killed") return { state: "stopped", words: "Its process is gone: resume it." };
  if (problem) return { state: "failed", words: `${problem.message}.` };
  if (report.isPostOwed || report.pairs.some(({ isPostOwed }) => isPostOwed))
    return { state: "failed", words: "A post hook has not ended well: something may still be quiesced." };
  if (exitCode === 130 || exitCode === 143)
    return { state: "stopped", words: "Interrupted: what was copied is kept, resume it." };
  if (totals.failed > 0)
    return { state: "failed", words: "Some pairs failed. The others are not affected by it." };
  if (totals.stopped + totals.skipped + totals.waiting > 0)
    return { state: "stopped", words: "Not all pairs came to their end: resume it." };
  if (totals["bad-ranges"] > 0)
    return { state: "bad-ranges", words: "All pairs are copied, but for bad ranges listed in mapfiles." };
  const verified = report.pairs.every(({ receipt }) => receipt?.verification);
  return {
    state: "done",
    words: verified ? "All pairs are copied and verified." : "All pairs are copied. Not all were verified.",
  };
}

function tile(value: string, words: string): string {
  return `<div class="tile"><b>${escapeXml(value)}</b><span class="dim">${escapeXml(words)}</span></div>`;
}

function pairTable({ pairs }: MigrateReport): string {
  const rows = pairs.map((pair) =>
    row([
      `<a href="#${anchor(pair)}">${escapeXml(pair.name)}</a>`,
      stateCell(pair),
      `<span class="mono">${escapeXml(pair.source?.path ?? pair.from)}</span>`,
      `<span class="mono">${escapeXml(pair.destination?.path ?? pair.to)}</span>`,
      escapeXml(throughWords(pair)),
      numeric(pair.lengthBytes === null ? "–" : formatBytes(BigInt(pair.lengthBytes))),
      numeric(secondsOf(pair)),
      numeric(pair.bytesPerSecond ? `${formatBytes(BigInt(pair.bytesPerSecond))}/s` : "–"),
    ]),
  );
  const titles = ["Pair", "State", "Source", "Destination", "Through", "Size", "Time", "Rate"];
  return table(titles, 5, rows);
}

function providerTable({ providers }: MigrateReport): string {
  const rows = providers.map(({ bdf, name, availableAtStartBytes, availableAtEndBytes }) =>
    row([
      escapeXml(name),
      `<span class="mono">${escapeXml(bdf)}</span>`,
      numeric(formatBytes(BigInt(availableAtStartBytes))),
      numeric(availableAtEndBytes === null ? "–" : formatBytes(BigInt(availableAtEndBytes))),
    ]),
  );
  return table(["Provider", "Address", "Free at the start", "Free at the end"], 2, rows);
}

interface Cell {
  readonly html: string;
  readonly isNumeric: true;
}

function numeric(words: string): Cell {
  return { html: escapeXml(words), isNumeric: true };
}

function row(cells: readonly (string | Cell)[]): string {
  const list = cells.map((cell) =>
    typeof cell === "string" ? `<td>${cell}</td>` : `<td class="num">${cell.html}</td>`,
  );
  return `<tr>${list.join("")}</tr>`;
}

function table(titles: readonly string[], firstNumeric: number, rows: readonly string[]): string {
  const head = titles.map((title, index) =>
    element("th", index >= firstNumeric ? { class: "num" } : {}, escapeXml(title)),
  );
  return `<div class="wide"><table><thead><tr>${head.join("")}</tr></thead><tbody>${rows.join("\n")}</tbody></table></div>`;
}

function stateCell({ state }: ReportedPair): string {
  return `<span class="state ${state}">${state}</span>`;
}

function throughWords({ receipt, route }: ReportedPair): string {
  if (receipt?.staging.provider) return receipt.staging.providerName ?? receipt.staging.provider;
  if (receipt) return receipt.route.via === "ram" ? "RAM" : receipt.route.via;
  if (!route) return "–";
  return route.providerName ?? (route.via === "ram" ? "RAM" : route.via);
}

function secondsOf({ startedAt, endedAt }: ReportedPair): string {
  if (startedAt === null || endedAt === null) return "–";
  return duration((Date.parse(endedAt) - Date.parse(startedAt)) / 1000);
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${Math.floor(seconds % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Local time is the reader's, who may be elsewhere: the report says UTC. */
function clock(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 19)} UTC`;
}

function detail(pair: ReportedPair): string {
  const { receipt, problem } = pair;
  const lines: [string, string][] = [
    ["Source", endWords(receipt?.source, pair.source, pair.from)],
    ["Destination", endWords(receipt?.destination, pair.destination, pair.to)],
    ...(pair.after.length > 0 ? [["After", escapeXml(pair.after.join(", "))] as [string, string]] : []),
    ["Route", routeWords(pair)],
    ...(receipt ? receiptLines(receipt) : []),
    ...(pair.attempts > 1 ? [["Attempts", String(pair.attempts)] as [string, string]] : []),
    ...(problem ? [["Trouble", trouble(problem)] as [string, string]] : []),
    ...(pair.isPostOwed ? [["Hook", "the post hook has not ended well"] as [string, string]] : []),
    ...(pair.next ? [["What to do", escapeXml(pair.next)] as [string, string]] : []),
    ...(pair.files.mapfile && pair.state === "bad-ranges"
      ? [["Mapfile", code(pair.files.mapfile)] as [string, string]]
      : []),
  ];
  const list = lines.map(([name, html]) => `<dt>${name}</dt><dd>${html}</dd>`).join("");
  return `<article class="${pair.state}" id="${anchor(pair)}"><h3>${escapeXml(pair.name)} ${stateCell(pair)}</h3><dl>${list}</dl></article>`;
}

function anchor({ name }: ReportedPair): string {
  return `pair-${encodeURIComponent(name).replaceAll(/[^\w.-]/g, "_")}`;
}

function trouble({ message, hint }: { message: string; hint: string | null }): string {
  return `<span class="trouble">${escapeXml(message)}</span>${hint ? `<br>${escapeXml(hint)}` : ""}`;
}

function code(words: string): string {
  return `<code>${escapeXml(words)}</code>`;
}

function endWords(end: ReceiptEnd | undefined, known: ReportedPair["source"], name: string): string {
  const { model, serial, wwid } = end?.identity ?? known ?? {};
  const identity = [model, serial && `serial ${serial}`, wwid, end?.pciAddress].filter((part) => part);
  const path = code(end?.path ?? known?.path ?? name);
  return identity.length > 0 ? `${path} <span class="dim">${escapeXml(identity.join(", "))}</span>` : path;
}

function routeWords({ receipt, route }: ReportedPair): string {
  if (receipt?.route.via === "p2p") return escapeXml(`peer-to-peer, through ${receipt.route.reason}`);
  if (receipt) return escapeXml(`${receipt.route.via}: ${receipt.route.reason}`);
  if (!route) return "–";
  const staging = `${formatBytes(BigInt(route.stagingBytes))} of staging memory`;
  return escapeXml(`planned: ${route.providerName ?? route.via}, ${staging}`);
}

function receiptLines(receipt: NonNullable<ReportedPair["receipt"]>): [string, string][] {
  const { staging, bytes, verification, badRanges } = receipt;
  const bar = staging.bar ? ` (${staging.bar.start}–${staging.bar.end})` : "";
  const memory = staging.provider
    ? `${formatBytes(staging.sizeBytes)} of ${staging.providerName} (${staging.provider}): ${staging.residency}${bar}`
    : `${formatBytes(staging.sizeBytes)} of system RAM`;
  const seconds = (receipt.transferMs / 1000).toFixed(2);
  const earlier = bytes.before === "0" ? "" : `, ${bytes.before} bytes by an earlier run`;
  return [
    ["Staging", escapeXml(memory)],
    [
      "Moved",
      `${bytes.peerToPeer} bytes peer-to-peer, ${bytes.throughRam} through RAM${earlier}, in ${seconds} s`,
    ],
    ["Verified", verification ? escapeXml(`equal: ${verification.method}`) : "no"],
    ...(badRanges.length > 0
      ? [["Bad ranges", escapeXml(`${badRanges.length}, left out`)] as [string, string]]
      : []),
  ];
}
