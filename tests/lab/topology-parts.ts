// SPDX-License-Identifier: MIT
import { pciArguments } from "../../lab/pci-args.ts";
import type { Topology } from "../../lab/topology.ts";

/** What a guest of a topology shows: drive letters in /dev/lab, and how many providers have published memory. */
export interface Parts {
  readonly letters: readonly string[];
  readonly providers: number;
}

export function partsOf({ pci }: Topology): Parts {
  const letters = pciArguments(pci).drives.map(({ letter }) => letter);
  const providers = JSON.stringify(pci).match(/"cmbMiB"|"ram-provider"/g)?.length ?? 0;
  return { letters: letters.sort(), providers };
}
