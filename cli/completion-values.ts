// SPDX-License-Identifier: MIT
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Argument, Option } from "commander";
import { OVERWRITE_KINDS } from "../core/copy/obstacles.ts";
import { journalDirectory } from "../core/journal/store.ts";
import { topologies } from "../lab/topologies/index.ts";
import type { Completion, Suggestion, ValueSource } from "./completion-engine.ts";
import { COLUMN_NAMES } from "./list-columns.ts";

/** What stands for a value. `free` can't be guessed: sizes, times, numbers. */
type Kind =
  | "free"
  | "file"
  | "folder"
  | "endpoint"
  | "endpoints"
  | "device"
  | "provider"
  | "providers"
  | "journal"
  | "topology"
  | "overwrite"
  | "columns"
  | "shell"
  | "ways"
  | "nice"
  | "fill pattern";

/** By name of the argument, or flag of the option; with the subcommand before it where the name alone would be wrong. */
const KINDS: Readonly<Record<string, Kind>> = {
  source: "endpoint",
  destination: "endpoint",
  device: "endpoint",
  "topo source": "device",
  "topo destination": "device",
  "cmb show device": "provider",
  provider: "provider",
  journal: "journal",
  plan: "file",
  script: "file",
  command: "file",
  shell: "shell",
  size: "free",
  number: "free",
  "--provider": "providers",
  "verify --provider": "provider",
  "--dma-from": "endpoint",
  "--allow-write": "endpoints",
  "--overwrite": "overwrite",
  "--topology": "topology",
  "--columns": "columns",
  "--nice": "nice",
  "--via": "ways",
  "--pattern": "fill pattern",
  "--source": "folder",
  "--check": "folder",
  "--deb": "folder",
  "--share": "folder",
  "bench mixed --share": "free",
  "topo --kernel": "free",
  "--kernel": "file",
  ...every("file", ["--from", "--output", "--mapfile", "--journal", "--report", "--svg", "--html"]),
  ...every("file", ["--fio-json", "--config", "--merge", "--archive", "--export", "--cover", "--disk"]),
  ...every("file", ["--trace"]),
  ...every("free", ["--chunk", "--offset", "--length", "--seek", "--size", "--depth", "--rate", "--seed"]),
  ...every("free", ["--stop-after", "--retries", "--retry-delay", "--checkpoint", "--time", "--warmup"]),
  ...every("free", ["--repeat", "--passes", "--timeout", "--memory", "--latency", "--append"]),
  ...every("free", ["--qemu-arg", "--trace-event"]),
};

function every(kind: Kind, names: string[]): Record<string, Kind> {
  return Object.fromEntries(names.map((name) => [name, kind]));
}

/** The kind of value that an argument or option takes; undefined when nobody said, which a test forbids. */
export function kindOf(path: readonly string[], of: Argument | Option): Kind | "choice" | undefined {
  if (of.argChoices) return "choice";
  const name = "long" in of ? (of.long ?? "") : of.name();
  return KINDS[[...path, name].join(" ")] ?? KINDS[name];
}

/** The devices of a machine. */
export interface DeviceNames {
  /** What can be copied, at first sight only what is useful there. */
  endpoints(typed: string): Suggestion[];
  /** Controllers and namespaces. */
  devices(): Suggestion[];
  providers(): Suggestion[];
}

/** Values for all that the program takes. */
export function valuesFrom(names: DeviceNames): ValueSource {
  return ({ path, of, typed }) => {
    const kind = kindOf(path, of);
    if (kind === "choice") return words(of.argChoices ?? []);
    return kind === undefined ? words([]) : VALUES[kind](names, typed);
  };
}

const VALUES: Readonly<Record<Kind, (names: DeviceNames, typed: string) => Completion>> = {
  free: () => words([]),
  file: () => ({ suggestions: [], paths: "files" }),
  folder: () => ({ suggestions: [], paths: "folders" }),
  endpoint: (names, typed) => ({ suggestions: names.endpoints(typed), paths: "files" }),
  endpoints: (names, typed) => only(inList(typed, (last) => names.endpoints(last))),
  device: (names) => only(names.devices()),
  provider: (names) => only(names.providers()),
  providers: (names, typed) => only(inList(typed, () => names.providers())),
  journal: () => ({ suggestions: journals(), paths: "files" }),
  topology: () => only(topologies.map(({ name, summary }) => ({ word: name, about: summary }))),
  overwrite: (_, typed) => only(inList(typed, () => plain(OVERWRITE_KINDS))),
  columns: (_, typed) => only(inList(typed, () => plain(COLUMN_NAMES))),
  shell: () => words(["bash", "zsh", "fish"]),
  ways: (_, typed) => only(inList(typed, () => plain(["p2p", "ram"]))),
  nice: () => words(["idle", "best-effort", "best-effort:7", "realtime:0"]),
  "fill pattern": () => words(["zeros", "ones", "random:"]),
};

function journals(): Suggestion[] {
  const folder = journalDirectory();
  return filesIn(folder)
    .filter((name) => name.endsWith(".journal"))
    .map((name) => ({ word: join(folder, name), about: "journal" }));
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/** Completes the last part of `a,b,…` with what is not named yet. */
function inList(typed: string, candidates: (last: string) => readonly Suggestion[]): Suggestion[] {
  const comma = typed.lastIndexOf(",") + 1;
  const before = typed.slice(0, comma);
  const named = new Set(before.split(","));
  return candidates(typed.slice(comma))
    .filter(({ word }) => !named.has(word))
    .map(({ word, about }) => ({ word: `${before}${word}`, about }));
}

function plain(names: readonly string[]): Suggestion[] {
  return names.map((word) => ({ word, about: "" }));
}

function words(names: readonly string[]): Completion {
  return only(plain(names));
}

function only(suggestions: readonly Suggestion[]): Completion {
  return { suggestions, paths: "none" };
}
