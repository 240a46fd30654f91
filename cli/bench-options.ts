// SPDX-License-Identifier: MIT
import type { BenchKind, BenchRequest, BenchTiming, BenchVia } from "../core/bench/request.ts";
import { parseSweep } from "../core/bench/sweep.ts";
import { usageError } from "../core/errors.ts";
import type { AllocatorKind } from "../core/p2pmem/providers.ts";
import { parseDuration, parseSize } from "../core/units.ts";
import { parseOverwrite } from "./copy-permission.ts";

/** How a result is shown. */
export interface BenchOutput {
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly html?: string;
  readonly quiet?: boolean;
}

export interface TimingOptions {
  readonly time?: string;
  readonly size?: string;
  readonly warmup: string;
  readonly repeat: string;
}

export interface BenchOptions extends BenchOutput, TimingOptions {
  readonly chunk: string;
  readonly depth: string;
  readonly random?: boolean;
  readonly seed: string;
  readonly via?: string;
  readonly provider?: string;
  readonly allocator?: AllocatorKind;
  readonly offset: string;
  readonly length?: string;
  readonly fioJson?: string;
  readonly allowWrite?: string;
  readonly overwrite?: string;
}

const DEFAULT_TIME_MS = 1000;

/** @throws P2pdmaError USAGE */
export function parseBench(
  kind: BenchKind,
  source: string | undefined,
  destination: string | undefined,
  options: BenchOptions,
): BenchRequest {
  const { length } = options;
  return {
    ...{ kind, source: devicePath(source), destination: devicePath(destination) },
    ...{ chunks: parseSweep(options.chunk, "--chunk"), depths: parseSweep(options.depth, "--depth") },
    ...{ isRandom: options.random ?? false, seed: BigInt(parseWhole(options.seed, "--seed")) },
    ...{ vias: parseVias(options.via), providers: splitList(options.provider), allocator: options.allocator },
    offset: parseSize(options.offset, "--offset"),
    lengthBytes: length === undefined ? undefined : parseSize(length, "--length"),
    overwrite: options.overwrite === undefined ? [] : parseOverwrite(options.overwrite),
    ...parseTiming(options),
  };
}

export function parseTiming({ time, size, warmup, repeat }: TimingOptions): BenchTiming {
  const isBySize = size !== undefined && time === undefined;
  return {
    warmupMs: /^0+[a-z]*$/.test(warmup) ? 0 : parseDuration(warmup, "--warmup"),
    timeMs: time !== undefined ? parseDuration(time, "--time") : isBySize ? undefined : DEFAULT_TIME_MS,
    sizeBytes: size === undefined ? undefined : parseSize(size, "--size"),
    repeats: parseWhole(repeat, "--repeat"),
  };
}

export function parseWhole(text: string, what: string): number {
  if (!/^\d{1,9}$/.test(text)) throw usageError(`${what}: "${text}" is no whole number`);
  return Number(text);
}

export function splitList(text: string | undefined): string[] {
  return (text ?? "").split(",").filter(Boolean);
}

/** @throws P2pdmaError USAGE */
export function checkOutput({ json, csv, quiet, html }: BenchOutput): void {
  if (json && csv) throw usageError("--json and --csv exclude each other");
  if (quiet && !json && !csv && html === undefined) {
    throw usageError("--quiet leaves nothing of a measurement", "add --json, --csv or --html FILE");
  }
}

/** A bare name is a device, unless it says where it is. */
export function devicePath(name: string): string;
export function devicePath(name: string | undefined): string | undefined;
export function devicePath(name: string | undefined): string | undefined {
  return name !== undefined && /^nvme\d+n\d+(p\d+)?$/.test(name) ? `/dev/${name}` : name;
}

function parseVias(text: string | undefined): BenchVia[] {
  if (text === undefined) return ["p2p", "ram"];
  const words = splitList(text).map((word) => {
    if (word === "p2p" || word === "ram") return word;
    throw usageError(`--via: "${word}" is no way`, "--via p2p, --via ram or --via p2p,ram");
  });
  if (words.length === 0) throw usageError("--via names no way", "--via p2p, --via ram or --via p2p,ram");
  return [...new Set(words)];
}
