// SPDX-License-Identifier: MIT
import { globSync } from "tinyglobby";
import { packageRoot } from "../../lab/package-root.ts";

/** Everything that tells people what to type. */
export function allDocuments(): string[] {
  return globSync(
    ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**/*.md", "kernel-series/**/README.md"],
    {
      cwd: packageRoot(),
    },
  ).sort();
}
