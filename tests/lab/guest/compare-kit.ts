// SPDX-License-Identifier: MIT
// Compares ranges of two of the lab's drives by the destination drive itself, straight through the pump.
import { constants } from "node:fs";
import { readDestination } from "../../../core/copy/endpoint.ts";
import { compareTargetOf } from "../../../core/nvme/compare.ts";
import { listProviders } from "../../../core/p2pmem/providers.ts";
import { type StagingBuffer, stageInP2pmem, stageInRam } from "../../../core/p2pmem/staging.ts";
import { bitmapBytes, type ChunkError, native, type PumpJob, type PumpProgress } from "../../../ffi/index.ts";
import { type Drive, sys } from "./media.ts";

export const CHUNK = 1 << 20;
const DEPTH = 8;

export interface Comparison {
  readonly source: Drive;
  readonly destination: Drive;
  readonly srcOffset: bigint;
  readonly dstOffset: bigint;
  readonly lengthBytes: bigint;
  readonly stages: PumpJob["stages"];
  /** Whose p2pmem the staging buffer is in; RAM when left out. */
  readonly provider?: Drive;
  readonly viaIoctl?: boolean;
  /** Added to where the Compare commands look, to plant a mistake. */
  readonly shiftBytes?: bigint;
  /** In place of the namespace's own. */
  readonly nsid?: number;
}

export interface Outcome {
  readonly result: number;
  readonly progress: PumpProgress;
  readonly errors: readonly ChunkError[];
}

export async function compare(request: Comparison): Promise<Outcome> {
  const { source, destination, provider } = request;
  const staging = stage(provider);
  const target = compareTargetOf({ sys, native }, readDestination(sys, native, destination.path));
  if (typeof target === "string") throw new Error(target);
  const src = native.open(source.path, constants.O_RDONLY | constants.O_DIRECT);
  const dst = native.open(destination.path, constants.O_RDWR | constants.O_DIRECT);
  const file = native.open(target.charDevice, constants.O_RDONLY);
  const extents = [
    { srcOffset: request.srcOffset, dstOffset: request.dstOffset, lengthBytes: request.lengthBytes },
  ];
  try {
    const run = native.startPump({
      ...{ src, dst, extents, chunkBytes: CHUNK, blockBytes: 4096, slots: staging.slots },
      ...{ retries: 1, retryDelayMs: 10, ioPriority: 0, rateBytesPerSecond: 0, stopOnError: false },
      bitmap: Buffer.alloc(bitmapBytes(extents, CHUNK)),
      fixedBuffers: provider === undefined,
      stages: request.stages,
      compare: {
        ...target,
        file,
        viaIoctl: request.viaIoctl,
        nsid: request.nsid ?? target.nsid,
        baseBytes: target.baseBytes + (request.shiftBytes ?? 0n),
      },
    });
    const result = await run.done;
    return { result, progress: run.progress(), errors: run.errors() };
  } finally {
    for (const opened of [src, dst, file]) native.close(opened);
    staging.close();
  }
}

function stage(drive: Drive | undefined): StagingBuffer {
  if (!drive) return stageInRam(native, CHUNK, DEPTH);
  const provider = listProviders(sys).find(({ bdf }) => bdf === drive.bdf);
  if (!provider) throw new Error(`${drive.bdf} is no provider`);
  const staging = stageInP2pmem(native, provider, CHUNK, DEPTH, "sysfs");
  if (!staging.residency?.checked || !staging.residency.inside) throw new Error("not resident");
  return staging;
}
