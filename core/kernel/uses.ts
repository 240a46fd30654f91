// SPDX-License-Identifier: MIT
import { type FeatureState, type Finding, type Use, uses } from "./feature.ts";

/** A feature, or several of which one is enough. */
type Need = string | readonly string[];

const transfers: readonly Need[] = [
  ...["zone-device", "p2pdma", "sg-bus-address", "lazy-map-type", "map-helpers", "dma-direct"],
  ...["dma-support-flag", "nvme-p2pdma", "nvme-sgtable", "gup-flag", "iov-iter", "page-free"],
  ["sysfs-allocate", "nvme-mmap"],
];

/** What each use cannot do without. */
export const needs: Readonly<Record<Use, readonly Need[]>> = {
  copy: [...transfers, "bio-direct"],
  files: [...transfers, "bio-direct", "file-systems"],
  passthrough: [...transfers, "passthrough"],
  rdma: ["p2pdma", ["long-term-pins", "vfio-dmabuf"], "rdma-dmabuf"],
  nvmet: ["zone-device", "p2pdma", "nvmet-p2pmem"],
};

/** What a kernel is good for. */
export interface Verdict {
  readonly use: Use;
  /** present: all it needs is there. absent: something is certainly missing. */
  readonly state: FeatureState;
  /** What is missing, or could not be seen, by feature id; `a|b` where one of them would do. */
  readonly lacks: readonly string[];
}

export function judgeUses(findings: readonly Finding[]): Verdict[] {
  const states = new Map(findings.map(({ feature, state }) => [feature.id, state]));
  return uses.map((use) => {
    const judged = needs[use].map((need) => ({ name: nameOf(need), state: stateOf(need, states) }));
    const worst: FeatureState = judged.some(({ state }) => state === "absent")
      ? "absent"
      : judged.some(({ state }) => state === "unknown")
        ? "unknown"
        : "present";
    const lacks =
      worst === "present" ? [] : judged.filter(({ state }) => state === worst).map(({ name }) => name);
    return { use, state: worst, lacks };
  });
}

function nameOf(need: Need): string {
  return typeof need === "string" ? need : need.join("|");
}

function stateOf(need: Need, states: ReadonlyMap<string, FeatureState>): FeatureState {
  const all = (typeof need === "string" ? [need] : need).map((id) => states.get(id) ?? "unknown");
  if (all.includes("present")) return "present";
  return all.includes("unknown") ? "unknown" : "absent";
}
