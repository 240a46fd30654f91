// SPDX-License-Identifier: MIT
// What a comment before a block of commands says about where and how they run. See CONTRIBUTING.md.

export interface Directive {
  /** `lab`: in a guest; `host`: on this machine; `skip`: not at all, for a reason that is printed. */
  readonly where: "lab" | "host" | "skip";
  readonly reason: string | undefined;
  readonly topology: string;
  /** Size of every drive, MiB; undefined leaves the topology's. */
  readonly driveMiB: number | undefined;
  /** Latency of drives that store nothing, milliseconds. */
  readonly latencyMs: number | undefined;
  /** Sectors that drives cannot read: `A:4096`. */
  readonly badSectors: readonly string[];
  /** How many lines of `$ ` are typed; what follows is printed, whatever it looks like. */
  readonly typed: number;
  /** Exit codes of the commands; one for all, or one for each. */
  readonly exitCodes: readonly number[];
  /** `package`: a copy of the sources; else a temporary one that the blocks of a document share. */
  readonly folder: "package" | "temporary";
  /** Run first, and not shown: what the text takes for granted. */
  readonly setup: readonly string[];
  /** Names in the text, and what stands for them here. */
  readonly map: readonly (readonly [string, string])[];
}

export const DEFAULT_DIRECTIVE: Directive = {
  where: "lab",
  reason: undefined,
  topology: "switch",
  driveMiB: undefined,
  latencyMs: undefined,
  badSectors: [],
  typed: Number.POSITIVE_INFINITY,
  exitCodes: [0],
  folder: "temporary",
  setup: [],
  map: [],
};

/**
 * Reads `run: lab topology=switch exit=3`, with more lines `setup: COMMAND`, `map: NAME = NAME`.
 * @param inherited what the document said for all its blocks
 * @returns undefined for any other comment
 * @throws Error naming what it does not know
 */
export function parseDirective(comment: string, inherited = DEFAULT_DIRECTIVE): Directive | undefined {
  const lines = comment
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
  if (!/^(run|document):/.test(lines[0] ?? "")) return undefined;
  return lines.reduce(readLine, inherited);
}

function readLine(so: Directive, line: string): Directive {
  const [, key = "", value = ""] = /^(\w+):\s*(.*)$/.exec(line) ?? [];
  if (key === "run" || key === "document") return readSettings(so, value);
  if (key === "setup") return { ...so, setup: [...so.setup, value] };
  if (key === "map") return { ...so, map: [...so.map, readPair(value)] };
  throw new Error(`"${line}" says nothing about a block; known are run:, setup:, map:`);
}

function readPair(text: string): [string, string] {
  const [from = "", to = ""] = text.split(/\s+=\s+/);
  if (from === "" || to === "") throw new Error(`map: "${text}" is not NAME = NAME`);
  return [from, to];
}

function readSettings(so: Directive, text: string): Directive {
  const [where = "", ...settings] = splitWords(text);
  const start = where.includes("=") ? [where, ...settings] : settings;
  const place = where.includes("=") || where === "" ? so.where : where;
  if (place !== "lab" && place !== "host" && place !== "skip") {
    throw new Error(`run: "${where}" is no place; known are lab, host, skip`);
  }
  const read = start.reduce(readSetting, { ...so, where: place });
  if (read.where === "skip" && !read.reason) throw new Error('run: skip needs reason="…"');
  return read;
}

function splitWords(text: string): string[] {
  return text.match(/[^\s"]*"[^"]*"|\S+/g) ?? [];
}

function readSetting(so: Directive, setting: string): Directive {
  const [, key = "", quoted = ""] = /^(\w+)=(.*)$/.exec(setting) ?? [];
  const value = quoted.replace(/^"|"$/g, "");
  switch (key) {
    case "reason":
      return { ...so, reason: value };
    case "topology":
      return { ...so, topology: value };
    case "drives":
      return { ...so, driveMiB: readNumber(value.replace(/M$/, "")) };
    case "latency":
      return { ...so, latencyMs: readNumber(value.replace(/ms$/, "")) };
    case "bad":
      return { ...so, badSectors: value.split(",") };
    case "typed":
      return { ...so, typed: readNumber(value) };
    case "exit":
      return { ...so, exitCodes: value.split(",").map(readNumber) };
    case "folder":
      if (value !== "package") throw new Error(`folder=${value}: only folder=package has a meaning`);
      return { ...so, folder: value };
    default:
      throw new Error(
        `"${setting}" is no setting; known are reason, topology, drives, latency, bad, typed, exit, folder`,
      );
  }
}

function readNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || text === "") throw new Error(`"${text}" is no whole number`);
  return value;
}
