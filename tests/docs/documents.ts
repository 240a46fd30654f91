// SPDX-License-Identifier: MIT
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { globSync } from "tinyglobby";
import { packageRoot } from "../../lab/package-root.ts";
import { readDocument } from "./blocks.ts";

/** Everything that tells people what to type. */
export function allDocuments(): string[] {
  return globSync(
    ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**/*.md", "kernel-series/**/README.md"],
    {
      cwd: packageRoot(),
    },
  ).sort();
}

/** Those with something for docs.test.ts to do, or to complain about. */
export function documentsWithCommands(): string[] {
  return allDocuments().filter((name) => {
    const { blocks, problems } = readDocument(name, readFileSync(join(packageRoot(), name), "utf8"));
    return blocks.length + problems.length > 0;
  });
}
