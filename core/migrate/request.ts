// SPDX-License-Identifier: MIT
import { type CopyRequest, DEFAULTS } from "../copy/request.ts";
import type { JobPair } from "./expand.ts";
import { sizeOf, timeMsOf } from "./plan.ts";

/** A pair as the copy's own planning takes it, to check it before anything runs. */
export function requestOf({ from, to, options }: JobPair): CopyRequest {
  const size = (value: string | number | undefined) => (value === undefined ? undefined : sizeOf(value));
  const { via, provider, allocator, engine, depth, onError, sparse, overwrite } = options;
  const given = { via, provider, allocator, engine, depth, onError, sparse, overwrite };
  return {
    ...DEFAULTS,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    ...{ source: from, destination: to },
    ...(options.chunk === undefined ? {} : { chunkBytes: Number(sizeOf(options.chunk)) }),
    ...(options.checkpoint === undefined ? {} : { checkpointMs: timeMsOf(options.checkpoint) }),
    rate: size(options.rate),
    offset: size(options.offset),
    length: size(options.length),
    seek: size(options.seek),
  };
}
