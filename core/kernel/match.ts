// SPDX-License-Identifier: MIT
import { type Definition, findFunction, findInitialiser, lineAt } from "./c-code.ts";
import type { FieldProbe, FunctionProbe, OptionProbe, Probe, Sight, TextProbe } from "./probe.ts";
import type { SourceFile, SourceTree } from "./source-tree.ts";

/** Looks for one thing in a source tree. */
export function matchProbe(tree: SourceTree, probe: Probe): Sight {
  if ("all" in probe) return matchAll(tree, probe.all);
  if ("any" in probe) return matchAny(tree, probe.any);
  if ("without" in probe) return matchWithout(tree, probe.without);
  if ("fn" in probe) return matchFunction(tree, probe);
  if ("variable" in probe) return matchField(tree, probe);
  if ("option" in probe) return matchOption(tree, probe);
  return matchText(tree, probe);
}

/** What is missing says more than what is there. */
function matchAll(tree: SourceTree, probes: readonly Probe[]): Sight {
  const sights = probes.map((probe) => matchProbe(tree, probe));
  return (
    sights.find(({ state }) => state === "absent") ??
    sights.find(({ state }) => state === "unknown") ?? {
      state: "present",
      where: sights[0]?.where ?? "",
    }
  );
}

function matchAny(tree: SourceTree, probes: readonly Probe[]): Sight {
  const sights = probes.map((probe) => matchProbe(tree, probe));
  const chosen =
    sights.find(({ state }) => state === "present") ?? sights.find(({ state }) => state === "unknown");
  return chosen ?? { state: "absent", where: unique(sights.map(({ where }) => where)).join("; ") };
}

function matchWithout(tree: SourceTree, probe: FunctionProbe | TextProbe): Sight {
  const { state, where } = matchProbe(tree, probe);
  if (state === "present") return { state: "absent", where };
  return { state: state === "absent" ? "present" : "unknown", where };
}

function matchFunction(tree: SourceTree, probe: FunctionProbe): Sight {
  const names = typeof probe.fn === "string" ? [probe.fn] : probe.fn;
  const what = names.map((name) => `${name}()`).join(" or ");
  let partial: Sight | undefined;
  const found = search(tree, probe.in, names, ({ path, code }) => {
    for (const name of names) {
      const definition = findFunction(code, name);
      if (!definition) continue;
      const where = `${path}:${definition.line} ${name}()`;
      if (fits(definition, probe)) return where;
      partial ??= without(tree, path, where);
    }
    return undefined;
  });
  if (found) return { state: "present", where: found };
  if (partial) return partial;
  return missing(tree, probe.in, what);
}

function fits(definition: Definition, { parameters, body }: FunctionProbe): boolean {
  return (parameters?.test(definition.parameters) ?? true) && (body?.test(definition.body) ?? true);
}

function matchField(tree: SourceTree, probe: FieldProbe): Sight {
  let seen: Sight | undefined;
  const found = search(tree, probe.in, [probe.variable], ({ path, code }) => {
    const definition = findInitialiser(code, probe.variable);
    if (!definition) return undefined;
    const where = `${path}:${definition.line} ${probe.variable}`;
    if (probe.sets.test(definition.body)) return where;
    seen ??= without(tree, path, where);
    return undefined;
  });
  if (found) return { state: "present", where: found };
  if (seen) return seen;
  return missing(tree, probe.in, probe.variable);
}

function matchText(tree: SourceTree, { code: pattern, in: paths }: TextProbe): Sight {
  const files = paths.flatMap((path) => tree.code(path) ?? []);
  for (const { path, code } of files) {
    const match = pattern.exec(code);
    if (match) return { state: "present", where: `${path}:${lineAt(code, match.index)} ${word(match[0])}` };
  }
  return missing(tree, paths, namesIn(pattern));
}

function matchOption(tree: SourceTree, { option, in: paths }: OptionProbe): Sight {
  const files = paths.flatMap((path) => {
    const text = tree.text(path);
    return text === undefined ? [] : [{ path, text }];
  });
  for (const { path, text } of files) {
    const match = new RegExp(`^\\s*(?:menu)?config ${option}\\s*$`, "m").exec(text);
    if (match) return { state: "present", where: `${path} config ${option}` };
  }
  return missing(tree, paths, `config ${option}`);
}

/** First the files where it belongs, then those around them that mention one of the words. */
function search(
  tree: SourceTree,
  paths: readonly string[],
  words: readonly string[],
  look: (file: SourceFile) => string | undefined,
): string | undefined {
  const tried = new Set<string>();
  for (const path of [...paths, ...paths.flatMap((path) => tree.around(path))]) {
    if (tried.has(path)) continue;
    tried.add(path);
    if (!words.some((name) => tree.text(path)?.includes(name))) continue;
    const file = tree.code(path);
    const found = file && look(file);
    if (found) return found;
  }
  return undefined;
}

/** Something was found where it belongs, but is not as it should be. */
function without(tree: SourceTree, path: string, where: string): Sight {
  if (tree.isCut(path)) return { state: "unknown", where: `${where} is without it, but ${path} is cut off` };
  return { state: "absent", where: `${where} is without it` };
}

/** Absent only where somebody looked: of a tree that lacks the files nothing can be told. */
function missing(tree: SourceTree, paths: readonly string[], what: string): Sight {
  const looked = paths.filter((path) => tree.text(path) !== undefined);
  const cut = looked.find((path) => tree.isCut(path));
  if (cut) return { state: "unknown", where: `no ${what} in ${cut}, which is cut off` };
  if (looked.length > 0) return { state: "absent", where: `no ${what} in ${looked.join(", ")}` };
  return {
    state: "unknown",
    where: `there is no ${paths.join(" or ")} that can be read, to look for ${what}`,
  };
}

function word(text: string): string {
  return /\w{4,}/.exec(text)?.[0] ?? "";
}

/** The identifiers that a pattern looks for. */
function namesIn(pattern: RegExp): string {
  const names = pattern.source.replace(/\\[a-z]/g, " ").match(/\w{5,}/g) ?? [];
  return unique(names).join(" or ");
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}
