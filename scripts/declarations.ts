// SPDX-License-Identifier: MIT
// Writes the library's types as one file: what core/index.ts exports and what that needs, out of the declarations that
// tsc makes of each file. Usage: declarations.ts FOLDER-OF-TSC OUTPUT
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

interface Declaration {
  readonly name: string;
  readonly text: string;
  readonly module: Module;
}

interface Module {
  readonly path: string;
  readonly declarations: ReadonlyMap<string, Declaration>;
  /** Local name to where it is from, for imports; exported name likewise, for exports. */
  readonly imports: ReadonlyMap<string, Origin>;
  readonly exports: ReadonlyMap<string, Origin>;
}

interface Origin {
  readonly path: string;
  readonly name: string;
}

const [folder = "", output = ""] = process.argv.slice(2);
const modules = new Map<string, Module>();
const wanted = new Map<string, Declaration>();

const exported = [...load(join(folder, "core", "index.ts")).exports].map(([name, origin]) => {
  const declaration = find(origin);
  take(declaration);
  return declaration.name === name ? name : `${declaration.name} as ${name}`;
});

const texts = [...wanted.values()].map(({ text, module }) => inlineIndexed(text, module));
const head = "// SPDX-License-Identifier: MIT\n// Made by the build from core/index.ts.";
writeFileSync(output, `${[head, ...texts, `export { ${exported.join(", ")} };`].join("\n\n")}\n`);

/** A declaration and all that it names. */
function take(declaration: Declaration): void {
  const known = wanted.get(declaration.name);
  if (known === declaration) return;
  if (known)
    throw new Error(`two types named ${declaration.name}: ${known.module.path}, ${declaration.module.path}`);
  wanted.set(declaration.name, declaration);
  const { module } = declaration;
  for (const name of namesIn(inlineIndexed(declaration.text, module))) {
    const found = lookUp(module, name);
    if (found) take(found);
  }
}

/** `Endpoint["kind"]` becomes what it stands for, so that all of Endpoint need not be told. */
function inlineIndexed(text: string, module: Module): string {
  return text.replace(/\b([A-Z]\w*)\["(\w+)"\]/g, (whole, name: string, property: string) => {
    const found = lookUp(module, name);
    const type = found && new RegExp(`\\n    readonly ${property}\\??: ([^;{]+);`).exec(found.text)?.[1];
    const isPlain = type && !/\b[A-Z]/.test(type.replace(/"[^"]*"/g, ""));
    return isPlain ? type.replace(/^(.* \| .*)$/, "($1)") : whole;
  });
}

function lookUp(module: Module, name: string): Declaration | undefined {
  const origin = module.imports.get(name);
  return origin ? find(origin) : module.declarations.get(name);
}

function find({ path, name }: Origin): Declaration {
  const module = load(path);
  const elsewhere = module.exports.get(name);
  const found = elsewhere ? find(elsewhere) : module.declarations.get(name);
  if (!found) throw new Error(`${path} declares no ${name}`);
  return found;
}

function load(path: string): Module {
  const known = modules.get(path);
  if (known) return known;
  const declarations = new Map<string, Declaration>();
  const imports = new Map<string, Origin>();
  const exports = new Map<string, Origin>();
  const module = { path, declarations, imports, exports };
  modules.set(path, module);
  for (const text of statements(readFileSync(path.replace(/\.ts$/, ".d.ts"), "utf8"))) {
    const code = withoutComments(text);
    const link = /^(import|export)(?: type)? \{([^}]*)\} from "(\.[^"]*)";/s.exec(code);
    const name = /^(?:export )?(?:declare )?(?:interface|type|class|function|const) (\w+)/.exec(code)?.[1];
    if (link) {
      const target = link[1] === "import" ? imports : exports;
      addLinks(target, link[2] ?? "", join(dirname(path), link[3] ?? ""));
    } else if (name) {
      // A value and its type may share a name.
      const before = declarations.get(name);
      const all = before ? `${before.text}\n\n${asDeclared(text)}` : asDeclared(text);
      declarations.set(name, { name, text: all, module });
    }
  }
  return module;
}

/** `type A, B as C` */
function addLinks(target: Map<string, Origin>, list: string, path: string): void {
  for (const item of list.split(",").map((text) => text.trim().replace(/^type /, ""))) {
    const [name = "", alias = name] = item.split(" as ");
    if (name) target.set(alias, { path, name });
  }
}

/** Exported at the end instead. */
function asDeclared(text: string): string {
  return text.replace(/^export (?=declare|interface|type)/m, "");
}

/** Top-level statements, each with the comment above it. */
function statements(source: string): string[] {
  const found: string[] = [];
  let lines: string[] = [];
  for (const line of source.split("\n")) {
    lines.push(line);
    const code = withoutComments(lines.join("\n"));
    const isBalanced = code.split("{").length === code.split("}").length;
    if (!isBalanced || !/[;}]$/.test(code)) continue;
    found.push(lines.join("\n").trim());
    lines = [];
  }
  return found;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*.*?\*\/|\/\/[^\n]*/gs, "").trim();
}

/** Identifiers that are no property and no parameter. */
function namesIn(text: string): string[] {
  const code = withoutComments(text).replace(/"[^"]*"/g, '""');
  return [...code.matchAll(/\b[A-Za-z_]\w*\b(?!\??:)/g)].map(([name]) => name);
}
