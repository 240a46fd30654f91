// SPDX-License-Identifier: MIT
import type { Bdf } from "../pci/bdf.ts";
import type { Facts } from "./facts.ts";

/** One block to be read from a drive into a provider's memory, by DMA. */
export interface Probe {
  readonly provider: Bdf;
  readonly client: Bdf;
  /** Block device to read from: `/dev/nvme0n1`. */
  readonly path: string;
  /** A page, or a block where that is larger. */
  readonly lengthBytes: number;
}

const PAGE_BYTES = 4096;

/**
 * moved: the block arrived. refused: the kernel maps no DMA between the two. failed: anything else went wrong.
 * hangs: no answer in time. untried: something before it hung.
 */
export type Outcome = "moved" | "refused" | "failed" | "hangs" | "untried";

export interface ProbeResult extends Probe {
  readonly outcome: Outcome;
  /** Errno, or the error's code where no system call failed. */
  readonly code: string | undefined;
  /** The provider could not give the memory of a whole copy in one piece, although so much was free. */
  readonly isFragmented: boolean;
}

/** Every client with every provider; of a pair of ends only those two. */
export function planProbes({ machine, ends, drives }: Omit<Facts, "probes">): Probe[] {
  const hidden = new Set(drives.heads.map(({ name }) => name));
  const clients =
    ends === undefined
      ? machine.devices.flatMap(({ bdf, controller }) => {
          const namespace = controller?.namespaces.find(({ name }) => !hidden.has(name));
          if (!namespace) return [];
          return [{ client: bdf, path: `/dev/${namespace.name}`, blockBytes: namespace.lbaSizeBytes }];
        })
      : [ends.source, ends.destination].flatMap(({ device, block }) =>
          device && block
            ? [{ client: device.bdf, path: `/dev/${block.disk}`, blockBytes: block.logicalBlockBytes }]
            : [],
        );
  const unique = clients.filter(({ path }, at) => clients.findIndex((other) => other.path === path) === at);
  return drives.pools.flatMap(({ provider }) =>
    unique.map(({ client, path, blockBytes }) => ({
      ...{ provider: provider.bdf, client, path },
      lengthBytes: Math.max(PAGE_BYTES, blockBytes),
    })),
  );
}
