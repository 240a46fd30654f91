// SPDX-License-Identifier: MIT
import { constants } from "node:fs";
import { type Native, type OpenFile, SyscallError } from "../../ffi/index.ts";
import { type Endpoint, readDestination, readSource } from "../copy/endpoint.ts";
import { checkDestination, checkOverlap, needsExclusive, warnAboutSource } from "../copy/safety.ts";
import { P2pdmaError, refused, usageError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import type { SystemView } from "../sysfs.ts";
import type { BenchHooks, BenchRequest } from "./request.ts";

/** The devices of a workload, checked and permitted, with the range that is used of each. */
export interface Ends {
  readonly source: Endpoint | undefined;
  readonly destination: Endpoint | undefined;
  readonly rangeBytes: bigint;
}

/** They as open files, for direct I/O only: anything else would measure the page cache. */
export interface OpenEnds {
  readonly src: OpenFile | undefined;
  readonly dst: OpenFile | undefined;
  close(): void;
}

/** @throws P2pdmaError for ends that are not there, too small, in use or not to be overwritten. */
export async function checkEnds(
  env: { readonly sys: SystemView; readonly native: Native },
  request: BenchRequest,
  hooks: BenchHooks,
): Promise<Ends> {
  const source = request.source === undefined ? undefined : readSource(env.sys, env.native, request.source);
  const destination =
    request.destination === undefined ? undefined : readDestination(env.sys, env.native, request.destination);
  if (destination && !destination.exists) {
    throw new P2pdmaError(
      "NOT_FOUND",
      ExitCode.failed,
      `Cannot write to "${destination.path}": no such file`,
      {
        hint: "a file must be there, as long as what is to be measured: fallocate -l 1G FILE",
      },
    );
  }
  const rangeBytes = rangeOf(
    [source, destination].flatMap((end) => end ?? []),
    request,
  );
  if (source && destination) checkOverlap(source, destination, copyRange(request, rangeBytes));
  if (destination) {
    checkDestination(env, destination, request.overwrite);
    await hooks.permit(destination);
  }
  const doubt = source && destination && warnAboutSource(env.sys, source);
  if (doubt) hooks.warn(doubt);
  return { source, destination, rangeBytes };
}

export function endsList({ source, destination }: Ends): Endpoint[] {
  return [source, destination].flatMap((end) => end ?? []);
}

export function openEnds(native: Native, ends: Ends, request: BenchRequest): OpenEnds {
  const { source, destination } = ends;
  const exclusive = destination?.kind === "block" && needsExclusive(request.overwrite) ? constants.O_EXCL : 0;
  const src = source && openDirect(native, source, constants.O_RDONLY);
  try {
    const dst = destination && openDirect(native, destination, constants.O_RDWR | exclusive);
    return {
      src,
      dst,
      close: () => {
        for (const file of [src, dst]) if (file) native.close(file);
      },
    };
  } catch (error) {
    if (src) native.close(src);
    throw error;
  }
}

/** @throws P2pdmaError for what can't be opened so: buffered I/O would measure the page cache. */
export function openDirect(native: Native, { path }: Endpoint, flags: number): OpenFile {
  try {
    return native.open(path, flags | constants.O_DIRECT);
  } catch (cause) {
    if (!(cause instanceof SyscallError)) throw cause;
    if (cause.code === "EBUSY") {
      throw refused("IN_USE", `Cannot write to "${path}": something else has it open exclusively`, { cause });
    }
    const why = cause.code === "EINVAL" ? "it refuses direct I/O (O_DIRECT)" : cause.code;
    throw new P2pdmaError("NOT_COPYABLE", ExitCode.failed, `Cannot measure "${path}": ${why}`, { cause });
  }
}

/** Whole largest chunks, of what is there or was asked for. */
function rangeOf(ends: readonly Endpoint[], { offset, lengthBytes, chunks }: BenchRequest): bigint {
  const largest = BigInt(Math.max(...chunks));
  for (const { path, blockBytes } of ends) {
    const block = BigInt(blockBytes);
    if (offset % block !== 0n || chunks.some((chunk) => chunk % blockBytes !== 0)) {
      throw usageError(`--offset and --chunk must be multiples of the block size of "${path}", ${block}`);
    }
  }
  const least = ends.reduce((size, end) => (end.sizeBytes < size ? end.sizeBytes : size), 1n << 62n);
  const there = least - offset;
  if (lengthBytes !== undefined && lengthBytes > there) {
    throw usageError(`--length ${lengthBytes} from --offset ${offset} on ends behind the end of the device`);
  }
  const range = lengthBytes ?? there;
  if (range >= largest) return range;
  const [end] = ends;
  throw new P2pdmaError(
    "TOO_SMALL",
    ExitCode.failed,
    `Cannot measure "${end?.path}": ${range} bytes are less than a chunk of ${largest}`,
  );
}

function copyRange({ offset }: BenchRequest, lengthBytes: bigint) {
  return {
    srcOffset: offset,
    dstOffset: offset,
    lengthBytes,
    bodyBytes: lengthBytes,
    tailBytes: 0,
    blockBytes: 1,
  };
}
