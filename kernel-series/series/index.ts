// SPDX-License-Identifier: MIT
// "Userspace P2PDMA with O_DIRECT NVMe devices", fifth version, as data: facts only.
import { directIoPatches } from "./direct-io.ts";
import { dmaMappingPatches } from "./dma-mapping.ts";
import { driverPatches } from "./drivers.ts";
import { pageReferencePatches } from "./page-references.ts";
import type { SeriesPatch } from "./types.ts";
import { userSpacePatches } from "./user-space.ts";

export { ancestors, successors } from "./history.ts";
export { revisions } from "./revisions.ts";
export * from "./types.ts";

/** The 24 patches, in order. */
export const seriesPatches: readonly SeriesPatch[] = [
  ...pageReferencePatches,
  ...dmaMappingPatches,
  ...driverPatches,
  ...directIoPatches,
  ...userSpacePatches,
];

/** Numbers of the patches that build on one. */
export function dependants(number: number): number[] {
  return seriesPatches.filter(({ needs }) => needs.includes(number)).map((patch) => patch.number);
}
