// SPDX-License-Identifier: MIT
// The package as it is packed: what is in it, that it installs, compiles, and does what it says.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { packageRoot } from "../../lab/package-root.ts";
import manifest from "../../package.json" with { type: "json" };
import { compileIn, packedProject, readIn } from "../packed-project.ts";
import { validateAgainst } from "../schema.ts";
import { tempFolder } from "../unit/temp.ts";

const project = packedProject("host");
const scratch = tempFolder("library");
const library = join(import.meta.dirname, "library");
const programs = ["cases.ts", "wrong-types.ts"].map((name) => join(library, name));
const pages = ["README.md", "docs/library.md"].map((page) => readIn(project, "node_modules", "p2pdma", page));
const onThePages = writeBlocksOf(pages.join("\n"));
const complaints = compileIn(project, ...programs, ...onThePages);

/** Every ```ts block as a program of its own. */
function writeBlocksOf(page: string): string[] {
  return [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = ""], index) => {
    const path = join(scratch, `page-${index}.ts`);
    writeFileSync(path, code);
    return path;
  });
}

const ALLOWED = [
  /^(LICENSE|README\.md|CHANGELOG\.md|package\.json)$/,
  /^c-helpers\/([\w-]+\.[ch]|Makefile)$/,
  /^dist\/(bin\/p2pdma|bundle\.cjs|index\.d\.mts|index\.mjs|lab-init|libp2pdma\.so|p2pdma\.js|package\.json)$/,
  /^dist\/man\/p2pdma[\w-]*\.1$/,
  /^docs\/([\w-]+\/)?[\w.-]+\.(md|svg)$/,
  /^examples\/([\w-]+\.ts|README\.md)$/,
  /^kernel-series\/([\w-]+\/)?(README\.md|COPYING|Makefile|[\w-]+\.(config|patch|c|h))$/,
  /^lab\/guest\/([\w-]+\.[ch]|Makefile)$/,
  /^schemas\/[\w-]+\.schema\.json$/,
];

const NEEDED = ["dist/p2pdma.js", "dist/bin/p2pdma", "dist/libp2pdma.so", "dist/lab-init", "dist/index.mjs"];

test("the tarball holds what is needed and nothing else", () => {
  const strangers = project.files.filter((path) => !ALLOWED.some((pattern) => pattern.test(path)));
  assert.equal(strangers, []);
  for (const path of [...NEEDED, ...manifest.man, manifest.types.slice(2)]) {
    assert.ok(project.files.includes(path), `${path} is missing`);
  }
});

test("installing it runs the scripts of the native binding only", () => {
  const { packages } = JSON.parse(readIn(project, "package-lock.json")) as {
    packages: Record<string, { hasInstallScript?: boolean }>;
  };
  const withScripts = Object.keys(packages).filter((path) => packages[path]?.hasInstallScript);
  const strangers = withScripts.filter((path) => !/node_modules\/(@2060\.io\/)?(ffi|ref)-napi$/.test(path));
  assert.equal(strangers, []);
  assert.ok(withScripts.length > 0);
});

test("the compiled helper asks for no newer glibc than the page says", () => {
  const helper = readIn(project, "node_modules", "p2pdma", "dist", "libp2pdma.so");
  const versions = [...helper.matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor));
  const [, told] =
    /glibc 2\.(\d+) or newer/.exec(readIn(project, "node_modules", "p2pdma", "docs", "library.md")) ?? [];
  assert.ok(Math.max(...versions) <= Number(told), `2.${Math.max(...versions)}`);
});

test("npm publish has nothing to complain of, but that nobody is logged in", () => {
  const env = { ...process.env, npm_config_userconfig: "/dev/null" };
  const args = ["publish", "--dry-run", "--offline", "--ignore-scripts"];
  const { stderr, status } = spawnSync("npm", args, { cwd: packageRoot(), encoding: "utf8", env });
  assert.is(status, 0, stderr);
  const complaints = stderr.split("\n").filter((line) => /npm (warn|error)/i.test(line));
  // What is unknown to npm in this machine's settings says nothing about the package.
  const ofThePackage = complaints.filter((line) => !/logged in|Unknown (env|user|global) config/.test(line));
  assert.equal(ofThePackage, []);
});

test("npx p2pdma works from it, and so does what the lab puts on the path", () => {
  const npx = (...args: string[]) =>
    execFileSync("npx", ["--no-install", "p2pdma", ...args], { cwd: project.folder, encoding: "utf8" });
  assert.is(npx("--version").trim(), manifest.version);
  assert.match(npx("kernel", "series"), /P2PDMA/);
  const onPath = join(project.folder, "node_modules", "p2pdma", "dist", "bin", "p2pdma");
  assert.is(execFileSync(onPath, ["--version"], { encoding: "utf8" }).trim(), manifest.version);
});

test("the examples, the pages about it and programs of one's own compile against its types, strictly", () => {
  assert.ok(onThePages.length >= 5);
  assert.is(complaints, "");
});

const built = (name: string) => join(project.folder, "built", `${name}.js`);

const cases = spawnSync("node", [built("cases"), manifest.version], { cwd: scratch, encoding: "utf8" });

interface Line {
  readonly name?: string;
  readonly ok?: boolean;
  readonly detail?: string;
  readonly kind?: string;
  readonly value?: unknown;
}
const lines = cases.stdout
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Line);

for (const { name, ok, detail } of lines) {
  if (name !== undefined) test(name, () => assert.ok(ok, detail));
}

test("all cases ran, and the library wrote nothing of its own", () => {
  assert.is(cases.status, 0, cases.stderr);
  assert.is(cases.stderr, "");
  assert.ok(lines.filter(({ name }) => name).length >= 30);
});

test("events, receipts and reports are as their schemas say", () => {
  const documents = lines.filter(({ kind }) => kind !== undefined);
  assert.equal([...new Set(documents.map(({ kind }) => kind))].sort(), ["copy", "events", "verify"]);
  for (const { kind = "", value } of documents) {
    if (kind === "events") for (const event of value as unknown[]) validateAgainst("progress", event);
    else validateAgainst(kind, value);
  }
});

test("migrate-shelf moves files, stops at the first that fails and says why", () => {
  writeFileSync(join(scratch, "a"), Buffer.alloc(100_000, "p2pdma"));
  const pairs = ["a=b", "missing=c", "a=d"];
  const { stdout, stderr, status } = spawnSync("node", [built("migrate-shelf"), ...pairs], {
    ...{ cwd: scratch, encoding: "utf8" },
  });
  assert.is(stdout, "a=b: 100000 bytes by ram, verified by sha256\n");
  assert.is(stderr, 'missing=c: Cannot open source "missing": no such file\n');
  assert.is(status, 1);
  assert.ok(readFileSync(join(scratch, "a")).equals(readFileSync(join(scratch, "b"))));
});

test("one clear error where what is compiled is missing or for another machine", () => {
  const elsewhere = tempFolder("elsewhere");
  const modules = join(elsewhere, "node_modules");
  mkdirSync(modules);
  cpSync(join(project.folder, "node_modules", "p2pdma"), join(modules, "p2pdma"), { recursive: true });
  const link = (name: string) => symlinkSync(join(project.folder, "node_modules", name), join(modules, name));
  link("ffi-napi");
  writeFileSync(join(elsewhere, "a"), "some bytes");
  const helper = join(modules, "p2pdma", "dist", "libp2pdma.so");
  const copy = () =>
    spawnSync("node", [join(modules, "p2pdma", "dist", "p2pdma.js"), "copy", "--no-journal", "a", "b"], {
      ...{ cwd: elsewhere, encoding: "utf8" },
    });
  assert.match(
    copy().stderr,
    /^p2pdma: Cannot load the native binding ffi-napi: Cannot find module 'ref-napi'\nhint: compile it here: npm rebuild ffi-napi ref-napi .+\n$/,
  );
  link("ref-napi");
  const hint = `hint: build it here: make -C ${join(modules, "p2pdma", "c-helpers")} (needs gcc, make, liburing-dev, libxxhash-dev)\n`;
  const program = readFileSync(helper);
  program.writeUInt16LE(183, 18); // EM_AARCH64
  for (const [content, message] of [
    [program, /^p2pdma: Cannot load ".*libp2pdma\.so" on this machine \(linux-\w+\): [^\n]+\n/],
    [undefined, /^p2pdma: libp2pdma\.so is not built\n/],
  ] as const) {
    rmSync(helper);
    if (content) writeFileSync(helper, content);
    const { stderr, status } = copy();
    assert.match(stderr, message);
    assert.ok(stderr.endsWith(hint), stderr);
    assert.is(status, 1);
    assert.not.ok(existsSync(join(elsewhere, "b")), "a destination was made");
  }
});

test.run();
