// SPDX-License-Identifier: MIT
// The bill of materials names everything that is shipped.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { tempFolder } from "../unit/temp.ts";

const root = join(import.meta.dirname, "..", "..");
const file = join(tempFolder("sbom"), "sbom.json");
const { status, stderr } = spawnSync(process.execPath, ["--import", "tsx", "scripts/sbom.ts", file], {
  cwd: root,
  encoding: "utf8",
});
assert.is(status, 0, stderr);

interface Component {
  readonly "bom-ref": string;
  readonly name: string;
  readonly version: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses?: readonly unknown[];
}
const bom = JSON.parse(readFileSync(file, "utf8")) as {
  specVersion: string;
  metadata: { component: Component };
  components: Component[];
  dependencies: { ref: string; dependsOn: string[] }[];
};
const find = (name: string, version?: string) =>
  bom.components.find((one) => one.name === name && (version === undefined || one.version === version));

interface Locked {
  readonly name?: string;
  readonly version: string;
  readonly dev?: boolean;
  readonly integrity?: string;
}
const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
  packages: Record<string, Locked>;
};
const shipped = Object.entries(lock.packages).filter(([path, { dev }]) => path !== "" && !dev);

test("the bill of materials has every production dependency of the lock file, with its digest", () => {
  assert.ok(shipped.length >= 9);
  for (const [path, { name = path.replace(/^.*node_modules\//, ""), version, integrity = "" }] of shipped) {
    const component = find(name, version);
    assert.ok(component, `${name}@${version} is missing`);
    const digest = Buffer.from(integrity.replace(/^sha512-/, ""), "base64").toString("hex");
    assert.equal(component.hashes, [{ alg: "SHA-512", content: digest }], name);
  }
});

test("it has what is bundled though it is a development dependency, and not what is not", () => {
  assert.ok(find("valibot"));
  for (const name of ["esbuild", "tsx", "typescript", "uvu"]) assert.is(find(name), undefined, name);
});

test("it has the C libraries that are compiled in, in the versions of their headers", () => {
  const xxhash = readFileSync("/usr/include/xxhash.h", "utf8");
  const part = (name: string) => new RegExp(`XXH_VERSION_${name}\\s+(\\d+)`).exec(xxhash)?.[1];
  assert.is(find("xxHash")?.version, ["MAJOR", "MINOR", "RELEASE"].map(part).join("."));
  assert.match(find("liburing")?.version ?? "", /^\d+\.\d+$/);
});

test("every component has a licence, and is somewhere in the tree of dependencies", () => {
  for (const { name, licenses } of bom.components) assert.ok(licenses?.length, `${name} has no licence`);
  const refs = new Set(bom.dependencies.flatMap(({ dependsOn }) => dependsOn));
  for (const component of bom.components) assert.ok(refs.has(component["bom-ref"]), component["bom-ref"]);
  assert.is(bom.metadata.component.name, "p2pdma");
});

test.run();
