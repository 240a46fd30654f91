// SPDX-License-Identifier: MIT
import { parseBdf } from "../pci/bdf.ts";
import type { Answers } from "./format.ts";

const DEVICES = "/sys/bus/pci/devices/";

/** A PCI function whose place contradicts itself or that of another one. */
export interface ParentageProblem {
  readonly path: string;
  readonly problem: string;
}

/**
 * Every function must lie at a path that ends in its own address, and those above
 * it must lie where its path says: then the way up is finite.
 */
export function findParentageProblem({ links }: Answers): ParentageProblem | undefined {
  for (const [path, real] of links) {
    const bdf = path.startsWith(DEVICES) ? parseBdf(path.slice(DEVICES.length)) : undefined;
    const problem = bdf && real !== undefined ? judge(links, bdf, real) : undefined;
    if (problem) return { path, problem };
  }
  return undefined;
}

function judge(links: Answers["links"], bdf: string, real: string): string | undefined {
  const parts = real.split("/");
  if (parts.at(-1) !== bdf) return "the path it leads to does not end in its own address";
  let at = "";
  for (const part of parts.slice(1, -1)) {
    at += `/${part}`;
    const above = parseBdf(part);
    const place = above && links.get(DEVICES + above);
    if (place !== undefined && place !== at) return `${above} is above it here, but lies elsewhere`;
  }
  return undefined;
}
