// SPDX-License-Identifier: MIT
import type { MixedDocument, MixedPointDocument } from "../core/bench/mixed-document.ts";
import { formatBytes } from "../core/units.ts";
import { sparkline } from "./bench-sparkline.ts";
import { timingWords } from "./bench-text.ts";
import { digits, formatNs, formatRate } from "./bench-words.ts";
import { plainTable } from "./table.ts";

/** The result for a terminal. */
export function renderMixed(document: MixedDocument, isUnicode: boolean): string {
  const { title, details } = mixedTitle(document);
  const { head, rows } = mixedTable(document);
  const most = Math.max(0, ...document.points.map(({ latency }) => latency?.percentilesNs.p50 ?? 0));
  const bars = document.points.map(({ latency }) =>
    latency ? sparkline([latency.percentilesNs.p50 ?? 0], most, isUnicode) : "",
  );
  const notes = mixedNotes(document).map((line) => `${line}\n`);
  const withBars = rows.map((row, index) => [...row, bars[index] ?? ""]);
  return [`${title}\n${details}\n`, plainTable([...head, "p50"], withBars), notes.join("")].join("\n");
}

export function mixedTitle({ chunkBytes, depth, timing, machine }: MixedDocument) {
  const host = [machine.host, machine.kernel && `Linux ${machine.kernel}`, machine.cpu].filter(Boolean);
  return {
    title: `p2pmem and RAM in one read of ${formatBytes(chunkBytes)}, depth ${depth}`,
    details: [timingWords(timing), ...host].join(", "),
  };
}

/** All mixtures, a row each. */
export function mixedTable({ points }: MixedDocument): { head: string[]; rows: string[][] } {
  const head = ["reader", "p2pmem of", "p2pmem", "layout", "pieces", "verdict", "commands", "median"];
  head.push("p50", "p99", "p99.9", "deviation");
  return { head, rows: points.map(rowOf) };
}

function rowOf(point: MixedPointDocument): string[] {
  const { reader, provider, isOwner, p2pPercent, layout, pieces, latency, commandsPerRequest } = point;
  const whose = isOwner ? `${provider} (itself)` : provider;
  const percentiles = ["p50", "p99", "p99.9"].map((at) => formatNs(latency?.percentilesNs[at]));
  return [
    ...[reader, whose, `${digits(p2pPercent)} %`, layout, String(pieces), verdictWords(point)],
    commandsPerRequest === null ? "-" : digits(commandsPerRequest),
    point.bytesPerSecond === null ? "-" : formatRate(point.bytesPerSecond),
    ...percentiles,
    formatNs(latency?.deviationNs),
  ];
}

export function verdictWords({ verdict, errors }: MixedPointDocument): string {
  if (verdict === "works") return "works";
  return `${verdict}: ${errors.map(({ error, count }) => `${error} x${count}`).join(", ")}`;
}

/** What the drives promised, and what came of it. */
export function mixedNotes({ promises, refused, points }: MixedDocument): string[] {
  return [
    ...promises.flatMap(({ provider, rules }) => {
      if (rules.length === 0) return [`${provider}: no registers say what its memory may be mixed with`];
      return rules.map(
        ({ field, isEnforced, meaning }) =>
          `${provider}: CMBLOC.${field} = ${isEnforced ? 0 : 1}: ${meaning}`,
      );
    }),
    ...refused.map(({ reader, provider, reason }) => `${reader} into ${provider}: not measured: ${reason}`),
    ...brokenPromises({ promises, points }),
  ];
}

/** A drive that says data may be mixed and then refuses it. */
function brokenPromises({ promises, points }: Pick<MixedDocument, "promises" | "points">): string[] {
  return promises.flatMap(({ provider, rules }) => {
    const mayMix = rules.find(({ field }) => field === "CDMMMS")?.isEnforced === false;
    const own = points.filter(
      (point) => point.provider === provider && point.isOwner && point.layout !== "plain",
    );
    const refusedAll = own.length > 0 && own.every(({ verdict }) => verdict === "refused");
    return mayMix && refusedAll ? [`${provider}: refuses every mixture, although CDMMMS permits it`] : [];
  });
}
