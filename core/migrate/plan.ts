// SPDX-License-Identifier: MIT
import { P2pdmaError, usageError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { parseDuration, parseSize } from "../units.ts";
import { type PlanDocument, parsePlanText } from "./document.ts";
import { PlanError, type PlanPath, type Problem } from "./problems.ts";
import { validatePlan } from "./validate.ts";

/** Options of `p2pdma copy` as a plan spells them; what is not there is left to copy. */
export interface PairOptions {
  readonly via?: "auto" | "p2p" | "ram" | "nvme-copy";
  readonly provider?: string;
  readonly allocator?: "sysfs" | "chardev";
  readonly engine?: "uring" | "sync" | "passthrough";
  readonly chunk?: string | number;
  readonly depth?: number;
  readonly retries?: number;
  readonly retryDelay?: string | number;
  readonly checkpoint?: string | number;
  readonly onError?: "stop" | "skip";
  readonly verify?: "after" | "inline" | boolean;
  readonly hash?: "xxh3" | "sha256";
  readonly sparse?: "auto" | "never";
  readonly rate?: string | number;
  readonly nice?: string;
  readonly stopAfter?: string | number;
  readonly overwrite?: readonly string[];
  readonly offset?: string | number;
  readonly length?: string | number;
  readonly seek?: string | number;
}

/** argv of a hook; one string of the plan is a script for the shell. */
export type HookCommand = readonly string[];

export interface Hooks {
  readonly pre: HookCommand | undefined;
  readonly post: HookCommand | undefined;
  readonly onFailure: HookCommand | undefined;
  readonly timeoutMs: number;
}

/** One entry of `pairs`, globs not yet expanded. */
export interface PlanPair {
  readonly path: PlanPath;
  readonly name: string;
  readonly from: string;
  readonly to: string | Readonly<Record<string, string>>;
  readonly after: readonly string[];
  readonly options: PairOptions;
  readonly hooks: Hooks;
}

export interface Limits {
  readonly jobs: number;
  /** Bytes; undefined: all there is. */
  readonly perProviderBytes: bigint | undefined;
  readonly perDevice: number;
  readonly perUplink: number;
}

export interface Plan {
  readonly document: PlanDocument;
  readonly limits: Limits;
  readonly hooks: Hooks;
  readonly pairs: readonly PlanPair[];
}

/** The schema's shape, after validation. */
interface RawPlan {
  readonly defaults?: PairOptions;
  readonly limits?: { jobs?: number; perProvider?: string | number; perDevice?: number; perUplink?: number };
  readonly hooks?: RawHooks;
  readonly pairs: readonly RawPair[];
}

interface RawHooks {
  readonly pre?: string | string[];
  readonly post?: string | string[];
  readonly onFailure?: string | string[];
  readonly timeout?: string | number;
}

interface RawPair extends PairOptions {
  readonly name?: string;
  readonly from: string;
  readonly to: string | Record<string, string>;
  readonly after?: readonly string[];
  readonly hooks?: RawHooks;
}

const DEFAULT_LIMITS = { jobs: 4, perDevice: 1, perUplink: 2 } as const;
const DEFAULT_HOOK_TIMEOUT = "60s";
const SIZES = ["chunk", "rate", "offset", "length", "seek"] as const;
const TIMES = ["retryDelay", "checkpoint", "stopAfter"] as const;

/**
 * Reads a plan: its text, then its shape, then what no schema can say of it.
 * @throws PlanError with everything that is wrong, by line and column.
 */
export function readPlan(text: string, file: string): Plan {
  const document = parsePlanText(text, file);
  const wrong = validatePlan(document);
  if (wrong.length > 0) throw new PlanError(file, wrong);
  const raw = document.value as RawPlan;
  const problems = [...valueProblems(document, raw), ...nameProblems(document, raw)];
  if (problems.length > 0) throw new PlanError(file, problems);
  const { perProvider = "all", ...counts } = raw.limits ?? {};
  return {
    document,
    limits: {
      ...DEFAULT_LIMITS,
      ...counts,
      perProviderBytes: perProvider === "all" ? undefined : sizeOf(perProvider),
    },
    hooks: hooksOf(raw.hooks),
    pairs: raw.pairs.map((pair, index) => pairOf(raw.defaults ?? {}, pair, index)),
  };
}

/** Bytes of a size that the plan gives as a number or as text. */
export function sizeOf(size: string | number, what = "size"): bigint {
  return parseSize(String(size), what);
}

/** Milliseconds of a time that the plan gives as a number of seconds or as text. */
export function timeMsOf(time: string | number, what = "time"): number {
  return parseDuration(String(time), what);
}

/** How a pair is called in messages and hooks when the plan gives it no name. */
function nameOf(pair: RawPair, index: number): string {
  return pair.name ?? `pair-${index + 1}`;
}

function pairOf(defaults: PairOptions, pair: RawPair, index: number): PlanPair {
  const { name: _name, from, to, after = [], hooks, ...own } = pair;
  return {
    path: ["pairs", index],
    name: nameOf(pair, index),
    ...{ from, to, after, options: { ...defaults, ...own }, hooks: hooksOf(hooks) },
  };
}

function hooksOf(raw: RawHooks = {}): Hooks {
  const argv = (command: string | string[] | undefined) =>
    typeof command === "string" ? ["/bin/sh", "-c", command] : command;
  return {
    pre: argv(raw.pre),
    post: argv(raw.post),
    onFailure: argv(raw.onFailure),
    timeoutMs: timeMsOf(raw.timeout ?? DEFAULT_HOOK_TIMEOUT),
  };
}

/** What looks like a size or a time and is none after all: a fraction of a byte, or more than any device has. */
function valueProblems(document: PlanDocument, raw: RawPlan): Problem[] {
  const hooks = [raw, ...raw.pairs].map((owner, index) => ({
    path: [...(index === 0 ? [] : ["pairs", index - 1]), "hooks", "timeout"] as PlanPath,
    value: owner.hooks?.timeout,
    parse: timeMsOf,
  }));
  const options = [raw.defaults ?? {}, ...raw.pairs].flatMap((owner, index) => {
    const at: PlanPath = index === 0 ? ["defaults"] : ["pairs", index - 1];
    const entry = (parse: (value: string | number, what: string) => unknown) => (key: keyof PairOptions) => ({
      ...{ path: [...at, key], value: owner[key] as string | number | undefined, parse },
    });
    return [...SIZES.map(entry(sizeOf)), ...TIMES.map(entry(timeMsOf)), entry(checkChunk)("chunk")];
  });
  const found = [...hooks, ...options].flatMap(({ path, value, parse }) => {
    const message = value === undefined ? undefined : complaint(() => parse(value, String(path.at(-1))));
    return message === undefined ? [] : [problem(document, path, message)];
  });
  return [...new Map(found.map((one) => [String(one.path), one])).values()];
}

function complaint(parse: () => unknown): string | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    if (error instanceof P2pdmaError) return error.message;
    throw error;
  }
}

function checkChunk(size: string | number): void {
  const bytes = sizeOf(size, "chunk");
  if (bytes > 0n && bytes % 4096n === 0n && bytes <= 1n << 30n) return;
  throw usageError(`chunk: ${size} is no multiple of 4 KiB up to 1 GiB`);
}

function nameProblems(document: PlanDocument, raw: RawPlan): Problem[] {
  const first = new Map<string, number>();
  return raw.pairs.flatMap((pair, index) => {
    const name = nameOf(pair, index);
    const earlier = first.get(name);
    if (earlier === undefined) {
      first.set(name, index);
      return [];
    }
    const { line } = document.placeOf(["pairs", earlier]);
    const path = pair.name === undefined ? ["pairs", index] : ["pairs", index, "name"];
    return [problem(document, path, `the name "${name}" is taken by the pair in line ${line}`)];
  });
}

function problem(document: PlanDocument, path: PlanPath, message: string): Problem {
  return { path, place: document.placeOf(path), message, exitCode: ExitCode.usage };
}
