// SPDX-License-Identifier: MIT
import type { PairOptions } from "./plan.ts";
import type { PlannedRoute } from "./route.ts";

/** One copy, as its own process is told to do it. */
export interface CopyOrder {
  readonly from: string;
  readonly to: string;
  readonly options: PairOptions;
  readonly route: PlannedRoute;
  /** Its path; the mapfile of what could not be read is made beside it. */
  readonly journal: string;
  /** The block device it may overwrite; undefined for a file. */
  readonly writes: string | undefined;
}

/** Options that copy and plan have in common, apart from those that the route settles. */
const FLAGS = {
  ...{ allocator: "--allocator", engine: "--engine", retries: "--retries", retryDelay: "--retry-delay" },
  ...{ checkpoint: "--checkpoint", onError: "--on-error", hash: "--hash", rate: "--rate", nice: "--nice" },
  stopAfter: "--stop-after",
} as const satisfies Partial<Record<keyof PairOptions, string>>;

/** What only a new copy takes: a resume finds it in the journal. */
const RANGE_FLAGS = {
  ...{ chunk: "--chunk", offset: "--offset", length: "--length", seek: "--seek", sparse: "--sparse" },
} as const satisfies Partial<Record<keyof PairOptions, string>>;

/** Arguments of p2pdma that begin this copy anew, whatever its journal holds. */
export function copyArguments(order: CopyOrder): string[] {
  const { from, to, options, journal } = order;
  return [
    ...["copy", "--journal", journal, "--restart"],
    ...flagsOf(RANGE_FLAGS, options),
    ...commonArguments(order),
    ...["--", from, to],
  ];
}

/** Arguments of p2pdma that go on with this copy from its journal. */
export function resumeArguments(order: CopyOrder): string[] {
  return ["resume", ...commonArguments(order), "--", order.journal];
}

function commonArguments({ options, route, writes }: CopyOrder): string[] {
  const { verify, overwrite = [] } = options;
  return [
    ...flagsOf(FLAGS, options),
    ...routeArguments(options, route),
    ...(verify ? [`--verify=${verify === true ? "after" : verify}`] : []),
    ...(overwrite.length > 0 ? ["--overwrite", overwrite.join(",")] : []),
    ...["--json", "--progress=json"],
    ...(writes === undefined ? [] : [`--allow-write=${writes}`]),
  ];
}

/** The provider and the depth are those that were reserved. Where RAM was settled on, nothing else is tried. */
function routeArguments(
  { via = "auto" }: PairOptions,
  { via: settled, provider, depth }: PlannedRoute,
): string[] {
  const way = ["--via", settled === "p2p" ? via : settled];
  return provider ? [...way, "--provider", provider.bdf, "--depth", String(depth)] : way;
}

function flagsOf(flags: Readonly<Record<string, string>>, options: PairOptions): string[] {
  return Object.entries(flags).flatMap(([key, flag]) => {
    const value = options[key as keyof PairOptions];
    return value === undefined ? [] : [flag, String(value)];
  });
}
