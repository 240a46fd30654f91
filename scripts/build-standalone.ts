// SPDX-License-Identifier: MIT
// Makes build/standalone/p2pdma: this program, its native parts and its data inside an official Node, as one
// executable file for linux-x64. What it does at run time is in standalone/.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { tool } from "./tools.ts";

/** Node looks for its application where this marks that there is one. */
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

/** Modules that find files beside themselves, and their form where there is no file beside. */
const REPLACED: Readonly<Record<string, string>> = {
  "ffi/binding.ts": "binding.ts",
  "ffi/helper-file.ts": "native.ts",
  "cli/own-command.ts": "own-command.ts",
  "lab/package-root.ts": "package-root.ts",
};

const ADDONS: Readonly<Record<string, string>> = {
  "ffi-napi": "ffi_bindings.node",
  "ref-napi": "binding.node",
};

/**
 * In place of node:module. A dependency that looks for another at run time would find it wherever NODE_PATH, the home
 * folder or / have one of that name.
 */
const NOTHING_OUTSIDE = `export function createRequire() {
  const find = (name) => { throw new Error(name + " is not inside this program"); };
  return Object.assign(find, { resolve: find });
}`;

const root = fileURLToPath(new URL("..", import.meta.url));
const out = join(root, "build", "standalone");

type Assets = Readonly<Record<string, string>>;

await main();

async function main(): Promise<void> {
  mkdirSync(join(out, "native"), { recursive: true });
  const node = tool("node");
  const packages = await bundle(join(out, "bundle.cjs"));
  writeFileSync(join(out, "LICENSES.txt"), licences(node, packages));
  const assets = { ...nativeAssets(), ...dataAssets(), "bundle.cjs": join(out, "bundle.cjs") };
  const [config, blob] = [join(out, "application.json"), join(out, "application.blob")];
  writeFileSync(
    config,
    JSON.stringify({
      main: join(root, "standalone", "start.cjs"),
      output: blob,
      disableExperimentalSEAWarning: true,
      // NODE_OPTIONS is meant for somebody else's programs.
      execArgvExtension: "none",
      assets: { ...assets, "bundle.cache": join(out, "bundle.cache") },
    }),
  );
  // V8's compiled form of the bundle, by the Node that will run it.
  run(node, [join(root, "scripts", "compile-standalone.cjs"), config]);
  run(node, ["--experimental-sea-config", config]);
  await inject(node, blob, join(out, "p2pdma"));
}

/** Answers the folders of the packages that went in. */
async function bundle(outfile: string): Promise<string[]> {
  const { warnings, metafile } = await build({
    absWorkingDir: root,
    metafile: true,
    entryPoints: [join(root, "cli", "main.ts")],
    outfile,
    bundle: true,
    platform: "node",
    target: "node24",
    format: "cjs",
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "none",
    // Only handed to node-gyp-build, which is replaced below.
    define: { __dirname: '""' },
    logLevel: "warning",
    plugins: [nothingBeside()],
  });
  // Such as import.meta, which a script does not have.
  if (warnings.length > 0) throw new Error("the bundle has warnings");
  const folders = Object.keys(metafile.inputs).map(
    (path) => /^node_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0],
  );
  return [...new Set(folders)].filter((folder) => folder !== undefined).sort();
}

/** What the authors of all its parts want to be handed on with it. */
function licences(node: string, packages: readonly string[]): string {
  const ofPackage = packages.flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => /^(licen[cs]e|copying|notice)/i.test(name))
      .map((name) => [folder.replace("node_modules/", ""), join(root, folder, name)] as const),
  );
  const texts = [
    ["p2pdma", join(root, "LICENSE")],
    ["its kernel patches, which are no part of the program", join(root, "kernel-series", "COPYING")],
    ["Node.js", join(node, "..", "..", "LICENSE")],
    ...ofPackage,
    ["libffi", join(root, "node_modules/ffi-napi/deps/libffi/LICENSE")],
    ["liburing", "/usr/share/doc/liburing-dev/copyright"],
    ["xxHash", "/usr/share/doc/libxxhash-dev/copyright"],
  ] as const;
  return texts.map(([name, path]) => `=== ${name}\n\n${readFileSync(path, "utf8").trim()}\n`).join("\n");
}

/** Leads the modules that look for files to those that need none. */
function nothingBeside(): Plugin {
  const own = new Map(
    Object.entries(REPLACED).map(([from, to]) => [join(root, from), join(root, "standalone", to)]),
  );
  const native = JSON.stringify(join(root, "standalone", "native.ts"));
  return {
    name: "nothing-beside",
    setup(build) {
      build.onResolve({ filter: /^\.{1,2}\// }, ({ path, resolveDir }) => {
        const replacement = own.get(join(resolveDir, path));
        return replacement === undefined ? undefined : { path: replacement };
      });
      // Two names of one package; one addon is enough.
      build.onResolve({ filter: /^ref-napi$/ }, ({ resolveDir }) =>
        build.resolve("@2060.io/ref-napi", { kind: "require-call", resolveDir }),
      );
      build.onResolve({ filter: /^(node:)?module$/ }, () => ({ path: "module", namespace: "inside" }));
      build.onLoad({ filter: /.*/, namespace: "inside" }, () => ({ contents: NOTHING_OUTSIDE }));
      build.onResolve({ filter: /^node-gyp-build$/ }, ({ importer }) => {
        const name = Object.keys(ADDONS).find((part) => importer.includes(`/${part}/`));
        return name === undefined ? undefined : { path: name, namespace: "addon" };
      });
      build.onLoad({ filter: /.*/, namespace: "addon" }, ({ path }) => ({
        contents: `module.exports = () => require(${native}).loadAddon(${JSON.stringify(ADDONS[path])});`,
        resolveDir: root,
      }));
    },
  };
}

/** The parts that the dynamic linker loads, without their symbol tables. */
function nativeAssets(): Assets {
  const files = [
    ...Object.entries(ADDONS).map(([name, file]) => join("node_modules", name, "build", "Release", file)),
    join("dist", "libp2pdma.so"),
  ];
  return Object.fromEntries(
    files.map((file) => {
      const name = `native/${file.split("/").at(-1)}`;
      run("strip", ["-o", join(out, name), join(root, file)]);
      return [name, join(out, name)];
    }),
  );
}

/** What is read as files at run time, and a manifest of it: paths and SHA-256. */
function dataAssets(): Assets {
  const series = readdirSync(join(root, "kernel-series"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length));
  const paths = [...series, "dist/lab-init"].sort();
  const digests = paths.map((path) => [
    path,
    createHash("sha256")
      .update(readFileSync(join(root, path)))
      .digest("hex"),
  ]);
  const manifest = join(out, "manifest.json");
  writeFileSync(manifest, JSON.stringify(Object.fromEntries(digests)));
  return {
    "manifest.json": manifest,
    ...Object.fromEntries(paths.map((path) => [`data/${path}`, join(root, path)])),
  };
}

/** Written under another name first: a copy that starts meanwhile sees a whole file. */
async function inject(node: string, blob: string, program: string): Promise<void> {
  const draft = `${program}.new`;
  run("strip", ["-o", draft, node]);
  // It warns of notes in Node that have no name.
  const { warn } = console;
  console.warn = () => {};
  const { inject } = createRequire(import.meta.url)(tool("postject"));
  await inject(draft, "NODE_SEA_BLOB", readFileSync(blob), { sentinelFuse: FUSE });
  console.warn = warn;
  renameSync(draft, program);
}

function run(command: string, args: string[]): void {
  execFileSync(command, args, {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, NODE_OPTIONS: "" },
  });
}
