// SPDX-License-Identifier: MIT
import { type BenchDirection, errnoName } from "../../ffi/index.ts";
import type { FioResult } from "./fio.ts";
import { type Latencies, type LatencyPoint, PERCENTILES } from "./latency.ts";
import type { LinkLimit } from "./link.ts";
import type { MachineDescription } from "./machine.ts";
import type { Sample } from "./measure.ts";
import type { BenchTiming } from "./request.ts";
import type { BenchPoint, BenchReport } from "./run.ts";
import type { Spread } from "./statistics.ts";
import { failuresOf, type Summary, summarize } from "./summary.ts";
import type { Way } from "./ways.ts";

/** What `bench --json` prints, and all other forms are made from. Byte counts are strings: they can pass 2^53. */
export type BenchDocument = ReturnType<typeof benchDocument>;
export type PointDocument = ReturnType<typeof pointDocument>;
export type SummaryDocument = NonNullable<ReturnType<typeof summaryDocument>>;
export type LatencyDocument = ReturnType<typeof latencyDocument>;
export type MachineDocument = ReturnType<typeof machineDocument>;

export function benchDocument(report: BenchReport, fio: readonly FioResult[]) {
  const { request, ends, points, dram } = report;
  return {
    schema: "p2pdma.bench/1" as const,
    startedAt: report.startedAt.toISOString(),
    kind: request.kind,
    pattern: request.isRandom ? ("random" as const) : ("sequential" as const),
    seed: String(request.seed),
    source: ends.source?.path ?? null,
    destination: ends.destination?.path ?? null,
    offsetBytes: String(request.offset),
    rangeBytes: String(ends.rangeBytes),
    timing: timingDocument(request),
    machine: machineDocument(report.machine),
    ways: report.ways.map(wayDocument),
    refused: report.refused,
    dram: { available: dram.missing === undefined, reason: dram.missing ?? null, units: dram.units },
    points: points.map((point) => pointDocument(request.kind, point)),
    fio,
  };
}

export function timingDocument({ warmupMs, timeMs, sizeBytes, repeats }: BenchTiming) {
  const size = sizeBytes === undefined ? null : String(sizeBytes);
  return { warmupMs, timeMs: timeMs ?? null, sizeBytes: size, repeats };
}

export function wayDocument({ id, via, provider, memory, link }: Way) {
  return {
    ...{ id, via, provider: provider?.bdf ?? null },
    memoryBytes: String(memory.mapping.lengthBytes),
    /** By the page map; null for RAM, and where the kernel hides it. */
    isProvedP2pmem: memory.residency?.checked ? memory.residency.inside : null,
    link: link ? linkDocument(link) : null,
  };
}

function linkDocument({ bdf, speedGtps, width, bytesPerSecond }: LinkLimit) {
  return { pciAddress: bdf, speedGtps, width, bytesPerSecond: Math.round(bytesPerSecond) };
}

export function machineDocument({ host, kernel, cpu, processors, ...rest }: MachineDescription) {
  return {
    ...{ host: host ?? null, kernel: kernel ?? null, cpu: cpu ?? null, processors },
    memoryBytes: rest.memoryBytes === undefined ? null : String(rest.memoryBytes),
    drives: rest.drives.map((drive) => ({
      ...{ path: drive.path, pciAddress: drive.bdf ?? null, model: drive.model ?? null },
      ...{ serial: drive.serial ?? null, firmware: drive.firmware ?? null, link: drive.link ?? null },
      ...{
        sizeBytes: String(drive.sizeBytes),
        blockBytes: drive.blockBytes,
        numaNode: drive.numaNode ?? null,
      },
    })),
    providers: rest.providers.map((provider) => ({
      ...{ name: provider.name, pciAddress: provider.bdf, sizeBytes: String(provider.sizeBytes) },
      ...{ link: provider.link ?? null, numaNode: provider.numaNode ?? null },
    })),
  };
}

function pointDocument(kind: BenchReport["request"]["kind"], point: BenchPoint) {
  const { way, chunkBytes, depth, samples } = point;
  const summary = summarize(kind, samples);
  const isTooLarge = samples.length === 0;
  return {
    ...{ way: way.id, chunkBytes, depth },
    problem: isTooLarge ? `${way.id} has no memory for so many slots` : problemOf(samples),
    summary: summaryDocument(summary, way.link),
    repeats: samples.map(sampleDocument),
  };
}

/** What failed, in words; null when nothing did. */
function problemOf(samples: readonly Sample[]): string | null {
  const { errors, failed } = failuresOf(samples);
  if (failed === 0n) return null;
  return errors
    .map(({ errno, direction, count }) => `${count} ${direction}s: ${errnoName(errno)}`)
    .join(", ");
}

function sampleDocument({ result, dramBytes }: Sample) {
  const { elapsedNs, transfers, enters, userNs, systemNs } = result;
  return {
    elapsedNs: Number(elapsedNs),
    bytesRead: String(transfers.read.bytes),
    bytesWritten: String(transfers.write.bytes),
    ...{ userNs: Number(userNs), systemNs: Number(systemNs), systemCalls: Number(enters) },
    dramBytes: dramBytes === undefined ? null : String(Math.round(dramBytes)),
  };
}

export function summaryDocument(summary: Summary | undefined, link: LinkLimit | undefined) {
  if (!summary) return null;
  const { bytesPerSecond, requestsPerSecond, latency, perGiB } = summary;
  return {
    bytesPerSecond: spreadDocument(bytesPerSecond),
    requestsPerSecond: spreadDocument(requestsPerSecond),
    linkShare: link ? bytesPerSecond.median / link.bytesPerSecond : null,
    latency: {
      read: latencyOrNull(latency, "read"),
      write: latencyOrNull(latency, "write"),
    },
    perGiB: {
      ...roundAll(perGiB),
      dramBytes: perGiB.dramBytes === undefined ? null : Math.round(perGiB.dramBytes),
    },
    cpuShare: summary.cpuShare,
    failed: String(summary.failed),
    errors: summary.errors.map(({ errno, direction, count }) => ({
      ...{ error: errnoName(errno), direction, count: String(count) },
    })),
    shortTransfers: String(summary.shortTransfers),
  };
}

function latencyOrNull(latency: Summary["latency"], direction: BenchDirection) {
  const found = latency[direction];
  return found ? latencyDocument(found) : null;
}

/** Percentiles of which too few requests were made to tell are null. */
export function latencyDocument(latencies: Latencies) {
  const percentiles = PERCENTILES.map((at) => [`p${at}`, latencies.percentile(at) ?? null] as const);
  return {
    requests: latencies.requests,
    meanNs: Math.round(latencies.meanNs),
    deviationNs: Math.round(latencies.deviationNs),
    percentilesNs: Object.fromEntries(percentiles) as Record<string, number | null>,
    curve: latencies.curve().map(
      ({ percentile, ns }): LatencyPoint => ({
        percentile: Math.round(percentile * 1e6) / 1e6,
        ns,
      }),
    ),
  };
}

function spreadDocument({ median, least, most, deviation }: Spread) {
  return { median: round(median), least: round(least), most: round(most), deviation: round(deviation) };
}

function roundAll({
  userNs,
  systemNs,
  voluntarySwitches,
  involuntarySwitches,
  systemCalls,
}: Summary["perGiB"]) {
  return {
    ...{ userNs: Math.round(userNs), systemNs: Math.round(systemNs) },
    ...{ voluntarySwitches: round(voluntarySwitches), involuntarySwitches: round(involuntarySwitches) },
    systemCalls: round(systemCalls),
  };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
