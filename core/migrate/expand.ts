// SPDX-License-Identifier: MIT
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, extname, join, relative, resolve } from "node:path";
import { globSync, isDynamicPattern } from "tinyglobby";
import { ExitCode } from "../exit-codes.ts";
import type { PlanDocument } from "./document.ts";
import type { Hooks, PairOptions, Plan, PlanPair } from "./plan.ts";
import { PlanError, type PlanPath, type Problem } from "./problems.ts";
import { suggest } from "./suggest.ts";

/** One copy of the job: a pair of the plan, or one match of its glob. */
export interface JobPair {
  /** Where it stands in the plan. */
  readonly path: PlanPath;
  /** Unique; a match of a glob is called `pair/match`. */
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** Names of the copies that must have ended well before. */
  readonly after: readonly string[];
  readonly options: PairOptions;
  readonly hooks: Hooks;
}

interface Match {
  readonly pair: PlanPair;
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

const MOST_PAIRS = 4096;

/**
 * Turns globs, templates and maps into single copies, in the order of the plan.
 * @param folder relative paths of the plan start here
 * @throws PlanError
 */
export function expandPlan(plan: Plan, folder: string): JobPair[] {
  const problems: Problem[] = [];
  const matches = plan.pairs.flatMap((pair) => {
    const found = expandPair(plan.document, pair, folder);
    if ("problem" in found) problems.push(found.problem);
    return "matches" in found ? found.matches : [];
  });
  if (matches.length > MOST_PAIRS) {
    problems.push(
      problemAt(plan.document, ["pairs"], `${matches.length} copies are more than ${MOST_PAIRS}`),
    );
  }
  const namesOf = new Map(plan.pairs.map(({ name }) => [name, [] as string[]]));
  for (const { pair, name } of matches) namesOf.get(pair.name)?.push(name);
  problems.push(...unknownNames(plan, namesOf), ...cycles(plan));
  if (problems.length > 0) throw new PlanError(plan.document.file, problems);
  return matches.map(({ pair, name, from, to }) => ({
    ...{ path: pair.path, name, from, to, options: pair.options, hooks: pair.hooks },
    after: pair.after.flatMap((wanted) => namesOf.get(wanted) ?? []),
  }));
}

type Expansion = { readonly matches: Match[] } | { readonly problem: Problem };

function expandPair(document: PlanDocument, pair: PlanPair, folder: string): Expansion {
  const fromPath = [...pair.path, "from"];
  if (!isPath(pair.from)) {
    const isTarget = typeof pair.to === "string" && !isTemplate(pair.to) && !pair.to.endsWith("/");
    if (!isTarget)
      return wrong(document, [...pair.path, "to"], `"${pair.from}" has no file name to make this one from`);
    return { matches: [{ pair, name: pair.name, from: pair.from, to: absolute(folder, pair.to as string) }] };
  }
  const isGlob = isDynamicPattern(pair.from) && !existsSync(absolute(folder, pair.from));
  const sources = isGlob ? findMatches(pair.from, folder) : [unescaped(absolute(folder, pair.from))];
  if (sources === undefined) {
    return wrong(document, fromPath, "below /dev only the last part may be a pattern");
  }
  if (sources.length === 0) return wrong(document, fromPath, `"${pair.from}" matches nothing`);
  if (sources.length > MOST_PAIRS) {
    return wrong(document, fromPath, `"${pair.from}" matches ${sources.length} files, ${MOST_PAIRS} at most`);
  }
  const problem = targetProblem(document, pair, isGlob, sources);
  if (problem) return { problem };
  return {
    matches: sources.map((source) => ({
      pair,
      name: isGlob ? `${pair.name}/${relativeName(pair.from, folder, source)}` : pair.name,
      from: source,
      to: absolute(folder, targetOf(pair.to, source)),
    })),
  };
}

/** Everything but `serial:…` and `wwid:…`. */
function isPath(name: string): boolean {
  return !/^(serial|wwid):/.test(name);
}

function absolute(folder: string, name: string): string {
  if (!isPath(name)) return name;
  return name.endsWith("/") ? `${resolve(folder, name)}/` : resolve(folder, name);
}

/** A backslash makes a wildcard an ordinary character. */
function unescaped(pattern: string): string {
  return existsSync(pattern) ? pattern : pattern.replaceAll(/\\(.)/g, "$1");
}

/** Undefined for a pattern that can't be looked up. */
function findMatches(pattern: string, folder: string): string[] | undefined {
  if (pattern.startsWith("/dev/")) return findDevices(pattern);
  const options = { cwd: folder, absolute: true, expandDirectories: false, followSymbolicLinks: false };
  return globSync(pattern, options).sort();
}

/** Block devices are no files, so no glob library lists them. */
function findDevices(pattern: string): string[] | undefined {
  const folder = dirname(pattern);
  if (isDynamicPattern(folder)) return undefined;
  const matcher = partPattern(basename(pattern));
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => matcher.test(name))
    .map((name) => join(folder, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isBlockDevice())
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

/** `*`, `?` and `[…]` of one part of a path. */
function partPattern(part: string): RegExp {
  const source = part.replaceAll(/\[!?[^\]]+\]|[\\^$.*+?()[\]{}|]/g, (found) => {
    if (found === "*") return ".*";
    if (found === "?") return ".";
    if (found.length > 1) return found.replace("[!", "[^").replaceAll("\\", "\\\\");
    return `\\${found}`;
  });
  return new RegExp(`^${source}$`, "s");
}

function isTemplate(to: string): boolean {
  return /\{(name|stem)\}/.test(to);
}

function targetProblem(
  document: PlanDocument,
  { path, from, to }: PlanPair,
  isGlob: boolean,
  sources: readonly string[],
): Problem | undefined {
  const at = [...path, "to"];
  if (typeof to !== "string") return mapProblem(document, at, to, sources.map(nameIn));
  const isSeveral = isGlob && !isTemplate(to);
  if (isSeveral && from.startsWith("/dev/")) {
    return problemAt(document, at, "several devices need a template with {name}, or a map from their names");
  }
  if (isSeveral && !to.endsWith("/")) {
    const message = 'several sources need a folder (ending in "/"), a template with {name}, or a map';
    return problemAt(document, at, message);
  }
  const unknown = /\{(?!name\}|stem\})(\w+)\}/.exec(to);
  if (unknown) return problemAt(document, at, `"${unknown[0]}" is unknown; there are {name} and {stem}`);
  const targets = new Map<string, string>();
  for (const source of sources) {
    const target = targetOf(to, source);
    const other = targets.get(target);
    if (other) return problemAt(document, at, `"${other}" and "${source}" would both become "${target}"`);
    targets.set(target, source);
  }
  return undefined;
}

function mapProblem(
  document: PlanDocument,
  at: PlanPath,
  to: Readonly<Record<string, string>>,
  names: readonly string[],
): Problem | undefined {
  const missing = names.find((name) => !Object.hasOwn(to, name));
  if (missing !== undefined) return problemAt(document, at, `"${missing}" is not in this map`);
  const surplus = Object.keys(to).find((name) => !names.includes(name));
  return surplus === undefined
    ? undefined
    : problemAt(document, [...at, surplus], `no source is called "${surplus}"`, "key");
}

function nameIn(source: string): string {
  return basename(source);
}

function targetOf(to: PlanPair["to"], source: string): string {
  const name = nameIn(source);
  if (typeof to !== "string") return to[name] ?? "";
  const filled = to
    .replaceAll("{name}", () => name)
    .replaceAll("{stem}", () => basename(source, extname(source)));
  return filled.endsWith("/") ? `${filled}${name}` : filled;
}

/** The part of a match below the folder where its pattern begins to be one. */
function relativeName(pattern: string, folder: string, match: string): string {
  const parts = pattern.split("/");
  const fixed = parts.slice(
    0,
    parts.findIndex((part) => isDynamicPattern(part)),
  );
  return relative(resolve(folder, fixed.join("/") || (pattern.startsWith("/") ? "/" : ".")), match);
}

function unknownNames(plan: Plan, namesOf: ReadonlyMap<string, unknown>): Problem[] {
  return plan.pairs.flatMap(({ path, name, after }) =>
    after.flatMap((wanted, index) => {
      const at = [...path, "after", index];
      if (wanted === name) return [problemAt(plan.document, at, "a pair can't come after itself")];
      if (namesOf.has(wanted)) return [];
      const near = suggest(wanted, [...namesOf.keys()]);
      const hint = near ? `; did you mean "${near}"?` : "";
      return [problemAt(plan.document, at, `no pair is called "${wanted}"${hint}`)];
    }),
  );
}

/** One problem for each ring of pairs that wait for one another, at the pair where the ring closes. */
function cycles(plan: Plan): Problem[] {
  const pairs = new Map(plan.pairs.map((pair) => [pair.name, pair]));
  const settled = new Set<string>();
  const problems: Problem[] = [];
  for (const start of plan.pairs) {
    // Depth first, with a stack of our own: a chain may be as long as the plan.
    const trail: { pair: PlanPair; next: number }[] = [{ pair: start, next: 0 }];
    while (trail.length > 0) {
      const top = trail[trail.length - 1] as { pair: PlanPair; next: number };
      const wanted = top.pair.after[top.next++];
      const next = wanted === undefined ? undefined : pairs.get(wanted);
      if (wanted === undefined || settled.has(top.pair.name)) {
        settled.add(top.pair.name);
        trail.pop();
      } else if (next && next !== top.pair && !settled.has(next.name)) {
        const from = trail.findIndex(({ pair }) => pair === next);
        if (from < 0) trail.push({ pair: next, next: 0 });
        else
          problems.push(
            ringProblem(
              plan,
              trail.slice(from).map(({ pair }) => pair),
              top.next - 1,
            ),
          );
      }
    }
  }
  return problems;
}

function ringProblem(plan: Plan, ring: readonly PlanPair[], entry: number): Problem {
  const last = ring.at(-1) as PlanPair;
  const words = [...ring, ring[0] as PlanPair].map(({ name }) => name).join(" after ");
  return problemAt(plan.document, [...last.path, "after", entry], `these wait for one another: ${words}`);
}

function wrong(document: PlanDocument, path: PlanPath, message: string): Expansion {
  return { problem: problemAt(document, path, message) };
}

/** A usage problem at a place of the plan. */
export function problemAt(
  document: PlanDocument,
  path: PlanPath,
  message: string,
  part: "key" | "value" = "value",
): Problem {
  return { path, place: document.placeOf(path, part), message, exitCode: ExitCode.usage };
}
