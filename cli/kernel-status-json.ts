// SPDX-License-Identifier: MIT
import { useTitles } from "../core/kernel/index.ts";
import type { KernelStatus } from "./kernel-status.ts";

export function kernelStatusJson({ kind, path, version, uses, findings }: KernelStatus) {
  return {
    schema: "p2pdma.kernel-status/1",
    kernel: { kind, path, version },
    uses: uses.map(({ use, state, lacks }) => ({ use, title: useTitles[use], state, lacks })),
    features: findings.map(({ feature, state, evidence }) => ({
      ...{ id: feature.id, area: feature.area, title: feature.title, state, evidence },
      ...{ why: feature.why, matters: feature.matters },
      ...{ mainlineSince: feature.since ?? null, source: feature.source },
    })),
  };
}
