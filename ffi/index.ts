// SPDX-License-Identifier: MIT
import * as bench from "./bench.ts";
import * as blkid from "./blkid.ts";
import * as files from "./files.ts";
import * as hash from "./hash.ts";
import { nativeCalls, requireHelper } from "./load.ts";
import * as memory from "./memory.ts";
import * as mmio from "./mmio.ts";
import * as nvmeCommand from "./nvme-command.ts";
import * as nvmeCopy from "./nvme-copy.ts";
import * as perf from "./perf.ts";
import * as pump from "./pump.ts";

export type {
  BenchBucket,
  BenchDirection,
  BenchError,
  BenchJob,
  BenchKind,
  BenchResult,
  BenchRun,
  BenchTransfers,
} from "./bench.ts";
export type { DeviceSignatures, Signature, TableEntry } from "./blkid.ts";
export { errnoName, errnoText, MissingLibraryError, SyscallError } from "./errors.ts";
export { O_DIRECT, type OpenFile } from "./files.ts";
export { type Mapping, type MemoryRange, PAGE_BYTES } from "./memory.ts";
export type { BadRange, MemoryFindings, MemoryPass, MemoryPattern } from "./mmio.ts";
export type { NvmeCommand } from "./nvme-command.ts";
export type { NvmeCopyFailure, NvmeCopyJob, NvmeCopyProgress, NvmeCopyRun } from "./nvme-copy.ts";
export type { PerfCounter, PerfEvent } from "./perf.ts";
export {
  bitmapBytes,
  type CancelMode,
  type ChunkError,
  type CompareTarget,
  chunkCount,
  type Extent,
  type Latency,
  type PumpJob,
  type PumpProgress,
  type PumpRun,
  type PumpStages,
  type TailJob,
} from "./pump.ts";

/** Everything core needs from the native side; passed in, so that core can be tested without it. */
export const native = {
  ...bench,
  ...blkid,
  ...files,
  ...hash,
  ...memory,
  ...mmio,
  ...nvmeCommand,
  ...nvmeCopy,
  ...perf,
  ...pump,
  nativeCalls,
  requireHelper,
};
export type Native = typeof native;
