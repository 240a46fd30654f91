// SPDX-License-Identifier: MIT
import type { Probe } from "./probe.ts";

/** What people want a kernel for. */
export const uses = ["copy", "files", "passthrough", "rdma", "nvmet"] as const;
export type Use = (typeof uses)[number];

export const useTitles: Readonly<Record<Use, string>> = {
  copy: "copy between drives",
  files: "copy between files",
  passthrough: "NVMe passthrough commands",
  rdma: "RDMA from user space",
  nvmet: "NVMe over Fabrics target",
};

export const areas = ["memory", "DMA mapping", "drivers", "direct I/O", "user space", "beyond"] as const;
export type Area = (typeof areas)[number];

/** How a running kernel shows it in its symbol table. */
export interface SymbolEvidence {
  /** Any of these. */
  readonly names: readonly string[];
  /** Exported or called through a pointer, so that no compiler leaves it out: not there means absent. */
  readonly isTelling: boolean;
  /** It is a module's, and shows only while that is loaded. */
  readonly module?: string;
}

/** One thing that a kernel can or cannot do. */
export interface Feature {
  /** Frozen: scripts depend on it. */
  readonly id: string;
  readonly area: Area;
  readonly title: string;
  /** What goes wrong without it. */
  readonly why: string;
  /** Whom it concerns; what a use cannot do without is in uses.ts. */
  readonly matters: readonly Use[];
  /** How source code shows it. */
  readonly probe: Probe;
  /** Options without which it is not compiled; one of each inner list is enough. Without `CONFIG_`. */
  readonly options: readonly (string | readonly string[])[];
  /** The options alone decide: every kernel that knows them has it. */
  readonly isOption?: boolean;
  readonly symbols?: SymbolEvidence;
  /** First mainline release. Undefined: never in mainline, or not known. */
  readonly since?: string;
  /** Mainline commits, or where else the fact is from. */
  readonly source: string;
}

/** `unknown` is an answer: what was looked at cannot tell. */
export type FeatureState = "present" | "absent" | "unknown";

export interface Finding {
  readonly feature: Feature;
  readonly state: FeatureState;
  /** What was seen, or why nothing can be told. */
  readonly evidence: string;
  /** The option that is off, where that is the reason: `CONFIG_PCI_P2PDMA`. */
  readonly off?: string;
}
