// SPDX-License-Identifier: MIT
import { join } from "node:path";
import { buildSync } from "esbuild";
import { packageRoot } from "../../lab/package-root.ts";

/** Bundles a program of tests/torture/guest, since compiling is slow in the guest; answers the command to run it. */
export function guestProgram(name: string): string[] {
  const outfile = join(packageRoot(), "dist", `torture-${name}.js`);
  buildSync({
    entryPoints: [join(packageRoot(), "tests", "torture", "guest", `${name}.ts`)],
    ...{ outfile, bundle: true, platform: "node", format: "esm", target: "node20", logLevel: "warning" },
    external: ["ffi-napi", "ref-napi"],
  });
  return ["node", outfile];
}
