// SPDX-License-Identifier: MIT
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import type { CopyRequest } from "../core/copy/request.ts";
import type { WritePermission } from "../core/copy/safety.ts";
import { usageError } from "../core/errors.ts";
import { parseDuration, parseSize } from "../core/units.ts";
import { ALL_DEVICES } from "./argv.ts";
import { parseOverwrite } from "./copy-permission.ts";

/** How a run shows itself. */
export interface OutputOptions {
  json?: boolean;
  quiet?: boolean;
  progress?: "bar" | "json" | "none";
}

/** Options that a copy and its resume have in common; none has a default here, so that what was given can be told. */
export interface TuningOptions extends OutputOptions {
  via?: CopyRequest["via"];
  provider?: string;
  allocator?: CopyRequest["allocator"];
  engine?: CopyRequest["engine"];
  depth?: string;
  retries?: string;
  retryDelay?: string;
  onError?: CopyRequest["onError"];
  mapfile?: string;
  verify?: "after" | "inline";
  hash?: CopyRequest["hash"];
  checkpoint?: string;
  rate?: string;
  nice?: string;
  stopAfter?: string;
  overwrite?: string;
  allowWrite?: string;
}

export function addOutputOptions(command: Command): Command {
  return command
    .option("--json", "print the result as one JSON object")
    .addOption(
      new Option("--progress <kind>", "on stderr: a bar where there is a terminal, or one JSON object a line")
        .choices(["bar", "json", "none"])
        .default("bar"),
    )
    .option("-q, --quiet", "no progress, no result");
}

export function addTuningOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--via <way>", "p2p never falls back; auto takes RAM when it must, and says so").choices([
        ...["auto", "p2p", "ram", "nvme-copy"],
      ]),
    )
    .option(
      "--provider <devices>",
      "PCI address or controller whose memory to use; A,B shares the chunks out (default: tried in turn)",
    )
    .addOption(
      new Option("--allocator <kind>", "how to get at that memory (default: what is there)").choices([
        ...["sysfs", "chardev"],
      ]),
    )
    .addOption(
      new Option(
        "--engine <name>",
        "how to move it: passthrough sends NVMe commands itself, around the block layer (default: uring)",
      ).choices(["uring", "sync", "passthrough"]),
    )
    .option("--depth <n>", "chunks in flight (default: adapts to the drives)")
    .option("--rate <size>", "at most so much a second")
    .option("--nice <class>", "I/O priority: idle, best-effort[:0-7] or realtime[:0-7]")
    .option("--stop-after <time>", "stop then, resumable (exit code 6)")
    .option("--retries <n>", "more tries for a chunk that fails (default: 3)")
    .option("--retry-delay <time>", "before the first of them; doubles with each (default: 100ms)")
    .addOption(
      new Option(
        "--on-error <what>",
        "skip goes on, down to single blocks, and lists what is bad (default: stop)",
      ).choices(["stop", "skip"]),
    )
    .option(
      "--mapfile <file>",
      "write a GNU ddrescue mapfile (default: beside the journal, if anything is bad)",
    )
    .option("--checkpoint <time>", "bring the journal up to date so often (default: 5s)")
    .addOption(
      new Option(
        "--verify [when]",
        "compare afterwards, or inline: each chunk right after it was written",
      ).choices(["after", "inline"]),
    )
    .addOption(
      new Option("--hash <name>", "verify through RAM, with this digest of both sides").choices([
        "sha256",
        "xxh3",
      ]),
    )
    .option("--allow-write [devices]", "permit overwriting block devices: any, or these (comma separated)")
    .option(
      "--overwrite <kinds>",
      "overwrite a destination although it holds these: mounted, swap, held, partitions, filesystem",
    );
}

/** What was given, as parts of a request. */
export function parseTuning(options: TuningOptions): Partial<CopyRequest> {
  const parsed: Partial<CopyRequest> = {
    via: options.via,
    provider: options.provider,
    allocator: options.allocator,
    engine: options.engine,
    onError: options.onError,
    mapfile: given(options.mapfile, (text) => resolve(text)),
    hash: options.hash,
    verify: options.verify ?? (options.hash && "after"),
    depth: given(options.depth, (text) => parseCount(text, "--depth")),
    retries: given(options.retries, (text) => parseCount(text, "--retries")),
    retryDelayMs: given(options.retryDelay, (text) => parseDuration(text, "--retry-delay")),
    checkpointMs: given(options.checkpoint, (text) => parseDuration(text, "--checkpoint")),
    rate: given(options.rate, (text) => parseSize(text, "--rate")),
    stopAfterMs: given(options.stopAfter, (text) => parseDuration(text, "--stop-after")),
    ioPriority: given(options.nice, parseNice),
    overwrite: given(options.overwrite, parseOverwrite),
  } as Partial<CopyRequest>;
  return Object.fromEntries(Object.entries(parsed).filter(([, value]) => value !== undefined));
}

export function permissionOf(option: string | undefined): WritePermission {
  if (option === ALL_DEVICES) return "all";
  return option === undefined ? [] : option.split(",").filter((device) => device);
}

export function optionalSize(text: string | undefined, what: string): bigint | undefined {
  return given(text, (size) => parseSize(size, what));
}

function given<T>(text: string | undefined, parse: (text: string) => T): T | undefined {
  return text === undefined ? undefined : parse(text);
}

function parseCount(text: string, what: string): number {
  if (!/^\d{1,9}$/.test(text)) throw usageError(`${what}: "${text}" is no whole number`);
  return Number(text);
}

const PRIORITY_CLASSES: Readonly<Record<string, number>> = { realtime: 1, "best-effort": 2, idle: 3 };
const PRIORITY_CLASS_SHIFT = 13;
const MIDDLE_LEVEL = 4;

/** The class and level of ioprio_set(2) in one number. */
function parseNice(text: string): number {
  const [, name = "", level] = /^([a-z-]+)(?::([0-7]))?$/.exec(text) ?? [];
  const kind = PRIORITY_CLASSES[name];
  if (kind === undefined || (name === "idle" && level !== undefined)) {
    throw usageError(
      `--nice: "${text}" is no I/O priority`,
      "idle, best-effort, best-effort:7 or realtime:0",
    );
  }
  return (kind << PRIORITY_CLASS_SHIFT) | (name === "idle" ? 0 : Number(level ?? MIDDLE_LEVEL));
}
