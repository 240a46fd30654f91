// SPDX-License-Identifier: MIT
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { parseSize } from "../units.ts";

/** One job of fio in one direction, in our units. */
export interface FioResult {
  readonly job: string;
  readonly direction: "read" | "write";
  readonly pattern: "random" | "sequential";
  readonly chunkBytes: number;
  readonly depth: number;
  /** `p2p` when its buffers were mapped from a p2pmem file (--mem=mmapshared:FILE). */
  readonly via: "p2p" | "ram";
  /** PCI address of that provider. */
  readonly provider: string | null;
  readonly bytesPerSecond: number;
  readonly requestsPerSecond: number;
  readonly meanNs: number;
  /** By percentile, as `p99.9`. */
  readonly percentilesNs: Readonly<Record<string, number>>;
  /** CPU time by the time that passed, user and system. */
  readonly cpuShare: number;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads what `fio --output-format=json` wrote; lines before the object (fio's notes) are skipped.
 * @throws P2pdmaError USAGE for anything else
 */
export function parseFio(text: string, file: string): FioResult[] {
  const document = parseObject(text, file);
  const shared = objectOf(document["global options"]);
  const jobs = Array.isArray(document.jobs) ? document.jobs.map(objectOf) : [];
  const results = jobs.flatMap((job) => resultsOf(job, { ...shared, ...objectOf(job["job options"]) }));
  if (results.length > 0) return results;
  throw notFio(file, "no job in it has read or written anything");
}

function parseObject(text: string, file: string): Json {
  const start = text.search(/^\{/m);
  try {
    return objectOf(JSON.parse(text.slice(Math.max(0, start))));
  } catch (cause) {
    throw notFio(file, "it is no JSON", cause);
  }
}

function notFio(file: string, why: string, cause?: unknown): P2pdmaError {
  return new P2pdmaError("USAGE", ExitCode.usage, `--fio-json: cannot use "${file}": ${why}`, {
    cause,
    hint: "write it with fio --output-format=json --output=FILE",
  });
}

function resultsOf(job: Json, options: Json): FioResult[] {
  return (["read", "write"] as const).flatMap((direction) => {
    const result = objectOf(job[direction]);
    if (!(numberOf(result.total_ios) > 0)) return [];
    return [{ job: String(job.jobname ?? ""), direction, ...resultOf(job, result, options) }];
  });
}

function resultOf(job: Json, result: Json, options: Json): Omit<FioResult, "job" | "direction"> {
  const latency = objectOf(result.lat_ns);
  const text = (name: string, other: string) => String(options[name] ?? other);
  const provider =
    /mmap(?:shared|huge)?:.*\/([0-9a-f:.]+)\/p2pmem\/allocate$/.exec(text("mem", ""))?.[1] ?? null;
  return {
    pattern: text("rw", text("readwrite", "read")).startsWith("rand") ? "random" : "sequential",
    chunkBytes: sizeOf(text("bs", text("blocksize", "4k"))),
    depth: Number(text("iodepth", "1")),
    via: provider === null ? "ram" : "p2p",
    provider,
    bytesPerSecond: numberOf(result.bw_bytes),
    requestsPerSecond: numberOf(result.iops),
    meanNs: numberOf(latency.mean),
    percentilesNs: percentilesOf(objectOf(objectOf(result.clat_ns).percentile)),
    cpuShare: (numberOf(job.usr_cpu) + numberOf(job.sys_cpu)) / 100,
  };
}

/** fio writes `99.900000`. */
function percentilesOf(percentiles: Json): Record<string, number> {
  return Object.fromEntries(Object.entries(percentiles).map(([at, ns]) => [`p${Number(at)}`, numberOf(ns)]));
}

/** fio's k is 1024, as ours. */
function sizeOf(text: string): number {
  return Number(parseSize(text.split(",")[0] ?? text, "--fio-json"));
}

function objectOf(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function numberOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}
