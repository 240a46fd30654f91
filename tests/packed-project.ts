// SPDX-License-Identifier: MIT
// An empty project that p2pdma was installed into from its packed tarball: what a user of the package has.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../lab/package-root.ts";
import manifest from "../package.json" with { type: "json" };

export interface PackedProject {
  readonly folder: string;
  readonly tarball: string;
  /** What npm says is in the tarball. */
  readonly files: readonly string[];
}

const KIND = { private: true, type: "module" };

const CONFIG = {
  compilerOptions: {
    ...{ target: "es2023", module: "nodenext", moduleResolution: "nodenext", types: ["node"], strict: true },
    ...{ exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false },
    outDir: "built",
  },
  include: ["*.ts"],
};

/**
 * Packs, installs and answers where. A second call installs only what is packed anew, since compiling the native
 * binding takes 10 s. Needs the build in dist/.
 * @param name of the project: tests run side by side
 */
export function packedProject(name: string): PackedProject {
  const folder = join(packageRoot(), "build", "packed", name);
  mkdirSync(folder, { recursive: true });
  if (!existsSync(join(folder, "package.json")))
    writeFileSync(join(folder, "package.json"), JSON.stringify(KIND));
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(CONFIG));
  const [packed] = JSON.parse(npm(packageRoot(), "pack", "--json", "--pack-destination", folder)) as [
    { filename: string; files: { path: string }[] },
  ];
  const tarball = join(folder, packed.filename);
  const types = `@types/node@${manifest.devDependencies["@types/node"]}`;
  npm(folder, "install", "--prefer-offline", "--no-audit", "--no-fund", `./${packed.filename}`, types);
  return { folder, tarball, files: packed.files.map(({ path }) => path) };
}

/**
 * Compiles the package's own examples, and one's own programs beside them, into `built/`.
 * @returns what the compiler complained of
 */
export function compileIn({ folder }: PackedProject, ...programs: string[]): string {
  for (const name of readdirSync(folder)) if (name.endsWith(".ts")) rmSync(join(folder, name));
  const examples = join(folder, "node_modules", "p2pdma", "examples");
  const named = readdirSync(examples).filter((name) => name.endsWith(".ts"));
  for (const file of [...named.map((name) => join(examples, name)), ...programs]) {
    cpSync(file, join(folder, file.split("/").at(-1) ?? ""));
  }
  const compiler = join(packageRoot(), "node_modules", ".bin", "tsc");
  return spawnSync(compiler, ["-p", folder], { encoding: "utf8" }).stdout;
}

/** Text of a file of the project. */
export function readIn({ folder }: PackedProject, ...path: string[]): string {
  return readFileSync(join(folder, ...path), "utf8");
}

function npm(cwd: string, ...args: string[]): string {
  return execFileSync("npm", [...args, "--loglevel=error"], { cwd, encoding: "utf8" });
}
