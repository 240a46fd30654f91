// SPDX-License-Identifier: MIT
// Writes the bill of materials of what is shipped, as CycloneDX: every production dependency of the lock file,
// whatever else the bundles hold, and the C libraries that are compiled in. `npm run sbom [-- FILE]`
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const root = join(import.meta.dirname, "..");
const file = process.argv[2] ?? join(root, "dist", "sbom.cdx.json");

interface Component {
  readonly "bom-ref": string;
  readonly name: string;
  readonly version: string;
  readonly [key: string]: unknown;
}
interface Dependency {
  readonly ref: string;
  readonly dependsOn?: readonly string[];
}
interface Bom {
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly Dependency[];
}

function npmSbom(...options: string[]): Bom {
  const words = [
    "sbom",
    "--package-lock-only",
    "--sbom-format=cyclonedx",
    "--sbom-type=application",
    ...options,
  ];
  return JSON.parse(
    execFileSync("npm", words, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
  );
}

/** `name@version` of the packages whose code is in the bundles, whatever the lock file calls them. */
async function bundledPackages(): Promise<ReadonlySet<string>> {
  const { metafile } = await build({
    entryPoints: [join(root, "cli/main.ts"), join(root, "core/index.ts")],
    ...{ bundle: true, platform: "node", format: "esm", write: false, metafile: true, outdir: root },
    external: ["ffi-napi", "ref-napi"],
    absWorkingDir: root,
    logLevel: "error",
  });
  const folders = Object.keys(metafile.inputs).flatMap(
    (path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [],
  );
  return new Set(
    folders.map((folder) => {
      const { name, version } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
      return `${name}@${version}`;
    }),
  );
}

function debianVersion(name: string): string {
  const line = execFileSync("dpkg-query", ["--show", name], { encoding: "utf8" });
  return line.trim().split("\t")[1] ?? "";
}

/** A library of Debian's that libp2pdma.so holds. */
function compiledIn(name: string, debianPackage: string, license: string): Component {
  const debian = debianVersion(debianPackage);
  const version = debian.replace(/-[^-]*$/, "");
  return {
    "bom-ref": `${name}@${version}`,
    type: "library",
    name,
    version,
    scope: "required",
    description: "compiled into dist/libp2pdma.so",
    licenses: [{ license: { id: license } }],
    purl: `pkg:deb/debian/${debianPackage}@${encodeURIComponent(debian)}?distro=bookworm`,
  };
}

/** npm calls an aliased package by its alias, which is another package's name. */
function underRealName(component: Component): Component {
  return { ...component, name: lock.packages[`node_modules/${component.name}`]?.name ?? component.name };
}

const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
  packages: Record<string, { name?: string } | undefined>;
};
const production = npmSbom("--omit=dev");
const bundled = await bundledPackages();
const known = new Set(production.components.map((one) => one["bom-ref"]));
const developed = npmSbom().components.filter(
  (one) => bundled.has(one["bom-ref"]) && !known.has(one["bom-ref"]),
);
const added = [
  ...developed,
  compiledIn("liburing", "liburing-dev", "MIT"),
  compiledIn("xxHash", "libxxhash-dev", "BSD-2-Clause"),
];
const own = production.metadata.component;
const { name } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

const bom = {
  ...production,
  metadata: { ...production.metadata, component: { ...own, name } },
  components: [...production.components.map(underRealName), ...added],
  dependencies: [
    ...production.dependencies.map((one) =>
      one.ref === own["bom-ref"]
        ? { ...one, dependsOn: [...(one.dependsOn ?? []), ...added.map((more) => more["bom-ref"])] }
        : one,
    ),
    ...added.map((one) => ({ ref: one["bom-ref"], dependsOn: [] })),
  ],
};
writeFileSync(file, `${JSON.stringify(bom, null, 2)}\n`);
console.log(`${file}: ${bom.components.length} components`);
