// SPDX-License-Identifier: MIT
// What the checks of CMBs share.
import type { CmbReport } from "../../nvme/cmb-report.ts";
import type { Facts } from "../facts.ts";
import { type Finding, fix } from "../finding.ts";

/** Granularity of device memory (SUBSECTION_SIZE). */
export const GRAIN_BYTES = 2n << 20n;

export const OTHER_PROVIDER = fix(
  "use another provider: any CMB below the same switch serves, it need not be the source's or the destination's",
  "p2pdma topo",
);

type Judge = (report: CmbReport) => Finding | undefined;

export function judgeEach({ drives }: Facts, judge: Judge): Finding[] {
  return drives.cmbs.flatMap((report) => judge(report) ?? []);
}

export function hasOther({ drives }: Facts, { bdf }: CmbReport): boolean {
  return drives.pools.some(({ provider }) => provider.bdf !== bdf);
}

export function isAligned({ window }: CmbReport): boolean {
  return (
    window !== undefined &&
    [window.end - window.start, window.resource.start].every((at) => at % GRAIN_BYTES === 0n)
  );
}

/** Then that is the cause, and what follows from it needs no line of its own. */
export function isOptionOff({ system }: Facts): boolean {
  return system.options ? system.options.values.get("PCI_P2PDMA") !== "y" : system.hasP2pdmaSymbol === false;
}

export function isLoggedFailure({ live }: Facts, { controller }: CmbReport): boolean {
  return controller !== undefined && (live?.log?.unregistered.includes(controller.name) ?? false);
}

export function driveName({ controller, bdf }: CmbReport): string {
  return controller?.name ?? bdf;
}
