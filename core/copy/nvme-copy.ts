// SPDX-License-Identifier: MIT
import { constants } from "node:fs";
import type { Extent, Native, NvmeCopyFailure, NvmeCopyRun, OpenFile } from "../../ffi/index.ts";
import type { NamespaceIdentity } from "../nvme/identify.ts";
import type { BlockDevice } from "./disk.ts";
import type { Endpoint } from "./endpoint.ts";
import { dropCache } from "./page-cache.ts";

/** Two parts of one namespace that its drive can copy between. */
export interface NvmeCopyTarget {
  readonly charDevice: string;
  readonly identity: NamespaceIdentity;
  readonly source: BlockDevice;
  readonly destination: BlockDevice;
}

export interface NvmeCopyRequest {
  readonly extents: readonly Extent[];
  /** Bytes, a multiple of the LBA size: one bit of the bitmap, and the most that one command copies. */
  readonly chunkBytes: number;
  readonly bitmap: Buffer;
  /** Commands in flight, 1 to 64. */
  readonly depth: number;
}

/**
 * Whether the drive can copy between the two ends by itself: both on one namespace, with a Copy command that takes any
 * LBAs at all.
 * @param identity of the namespace below the source, or the reason why it is not known.
 * @returns the reason in words when it can't.
 */
export function canNvmeCopy(
  identity: NamespaceIdentity | string,
  src: Endpoint,
  dst: Endpoint,
): NvmeCopyTarget | string {
  const file = [src, dst].find((end) => end.kind === "file");
  if (file) return `"${file.path}" is a file: NVMe Copy moves LBAs of one namespace`;
  const [source, destination] = [src.device, dst.device];
  if (!source || source.disk !== destination?.disk) {
    return `"${src.path}" and "${dst.path}" are not on one namespace`;
  }
  if (typeof identity === "string") return identity;
  const { charDevice, oncs, copyLimits, metadataBytes } = identity;
  if (!oncs.copy) return `"${source.disk}" has no Copy command`;
  if (!copyLimits.hasFormat0) return `"${source.disk}" takes no source ranges of format 0`;
  if (copyLimits.rangeLbas === 0 || copyLimits.commandLbas === 0) {
    return `"${source.disk}" names a Copy command that may hold no LBA (MSSRL ${copyLimits.rangeLbas}, MCL ${copyLimits.commandLbas})`;
  }
  if (metadataBytes > 0)
    return `"${source.disk}" keeps metadata with each LBA, which Copy would have to remake`;
  if (charDevice === undefined) return `"${source.disk}" has no character device for passthrough`;
  return { charDevice, identity, source, destination };
}

/**
 * Starts the drive's own copy; no byte crosses PCIe. What the page cache holds of the source is written first, and
 * what it holds of the destination is dropped before and after: passthrough goes around it.
 * @param srcFile the source, open.
 * @param dstFile the destination, open for writing; its next flush makes the copy durable.
 * @throws RangeError when source and destination overlap; SyscallError
 */
export async function startCopyByDrive(
  native: Native,
  target: NvmeCopyTarget,
  srcFile: OpenFile,
  dstFile: OpenFile,
  request: NvmeCopyRequest,
): Promise<NvmeCopyRun> {
  checkApart(target, request.extents);
  await native.flush(srcFile);
  dropCache(native, dstFile);
  const file = native.open(target.charDevice, constants.O_RDWR);
  const { nsid, lbaBytes, copyLimits } = target.identity;
  const run = native.startNvmeCopy({
    ...request,
    ...copyLimits,
    ...{ file, nsid, lbaBytes },
    srcBaseBytes: target.source.startBytes,
    dstBaseBytes: target.destination.startBytes,
  });
  return { ...run, done: finish(native, run, file, dstFile) };
}

async function finish(
  native: Native,
  run: NvmeCopyRun,
  file: OpenFile,
  dstFile: OpenFile,
): Promise<NvmeCopyFailure | "done" | "cancelled"> {
  try {
    return await run.done;
  } finally {
    native.close(file);
    dropCache(native, dstFile);
  }
}

/** Commands complete in any order, so no extent may be written where another one is still to be read. */
function checkApart(target: NvmeCopyTarget, extents: readonly Extent[]): void {
  const spans = (base: bigint, side: "srcOffset" | "dstOffset") =>
    extents
      .filter(({ lengthBytes }) => lengthBytes > 0n)
      .map((extent) => ({ start: base + extent[side], end: base + extent[side] + extent.lengthBytes }))
      .toSorted((a, b) => (a.start < b.start ? -1 : 1));
  const sources = spans(target.source.startBytes, "srcOffset");
  const destinations = spans(target.destination.startBytes, "dstOffset");
  let index = 0;
  for (const source of sources) {
    for (let to = destinations[index]; to && to.end <= source.start; to = destinations[++index]);
    const next = destinations[index];
    if (next && next.start < source.end) {
      throw new RangeError(
        `source and destination of an NVMe Copy overlap at byte ${next.start} of the namespace`,
      );
    }
  }
}
