// SPDX-License-Identifier: MIT
import { errnoName } from "../../ffi/index.ts";
import { latencyDocument, machineDocument, timingDocument } from "./document.ts";
import { shareOf } from "./layout.ts";
import type { MixedPoint, MixedReport } from "./mixed.ts";
import { failuresOf, summarize } from "./summary.ts";

/** What `bench mixed --json` prints, and all other forms are made from. */
export type MixedDocument = ReturnType<typeof mixedDocument>;
export type MixedPointDocument = ReturnType<typeof pointDocument>;

export function mixedDocument(report: MixedReport) {
  const { request, rules, points } = report;
  return {
    schema: "p2pdma.bench-mixed/1" as const,
    startedAt: report.startedAt.toISOString(),
    ...{ chunkBytes: request.chunkBytes, depth: request.depth, timing: timingDocument(request) },
    machine: machineDocument(report.machine),
    promises: rules.map(({ provider, rules }) => ({
      ...{ provider: provider.name, pciAddress: provider.bdf },
      rules: rules.map(({ field, isEnforced, meaning }) => ({ field, isEnforced, meaning })),
    })),
    refused: report.refused.map(({ reader, id, reason }) => ({ reader, provider: id, reason })),
    points: points.map(pointDocument),
  };
}

/** works: every request; refused: none. */
export type MixedVerdict = "works" | "partly" | "refused";

function pointDocument({ reader, way, mixture, samples, commandsPerRequest }: MixedPoint) {
  const summary = summarize("read", samples);
  const { errors, failed } = failuresOf(samples);
  const verdict: MixedVerdict = failed === 0n ? "works" : summary ? "partly" : "refused";
  return {
    ...{ reader: reader.path, provider: way.id, isOwner: reader.device?.client === way.provider?.bdf },
    ...{ layout: mixture.layout, p2pPercent: shareOf(mixture), verdict },
    pieces: mixture.pages.filter((isP2pmem, page) => page === 0 || isP2pmem !== mixture.pages[page - 1])
      .length,
    commandsPerRequest: commandsPerRequest === undefined ? null : Math.round(commandsPerRequest * 100) / 100,
    bytesPerSecond: summary ? Math.round(summary.bytesPerSecond.median) : null,
    latency: summary?.latency.read ? latencyDocument(summary.latency.read) : null,
    failed: String(failed),
    errors: errors.map(({ errno, count }) => ({ error: errnoName(errno), count: String(count) })),
  };
}
