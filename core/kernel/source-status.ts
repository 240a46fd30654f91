// SPDX-License-Identifier: MIT
import type { Finding } from "./feature.ts";
import { features } from "./features/index.ts";
import { matchProbe } from "./match.ts";
import type { SourceTree } from "./source-tree.ts";

/** What a source tree can do, by looking at its code: backports count, version numbers do not. */
export function examineSource(tree: SourceTree): Finding[] {
  return features.map((feature) => {
    const { state, where } = matchProbe(tree, feature.probe);
    return { feature, state, evidence: where };
  });
}
