// SPDX-License-Identifier: MIT
// The library: what `import … from "p2pdma"` gives. It prints nothing, asks nothing, catches no signals and never ends
// the process.

export { SyscallError } from "../ffi/errors.ts";
export type { DryRun } from "./copy/dry-run.ts";
export type {
  CheckpointEvent,
  CopyEvent,
  EndEvent,
  ProgressEvent,
  RouteEvent,
  StartEvent,
  WarningEvent,
} from "./copy/events.ts";
export type { Receipt } from "./copy/receipt.ts";
export type { OverwriteKind } from "./copy/safety.ts";
export { CopyOutcomeError } from "./copy/verdict.ts";
export type { DifferingRange, Verification } from "./copy/verify.ts";
export type { VerifyReport } from "./copy/verify-run.ts";
export { type ErrorCode, P2pdmaError } from "./errors.ts";
export { ExitCode, exitCodeMeaning } from "./exit-codes.ts";
export type { ListedController, ListedProvider } from "./inventory.ts";
export {
  type AllocateOptions,
  allocate,
  type BufferComparison,
  type BufferPart,
  type BufferPlace,
  type MemoryWatch,
  type P2pmemBuffer,
} from "./library/buffer.ts";
export { copy, plan, resume, verify } from "./library/copy.ts";
export {
  type Drive,
  type DriveComparison,
  type OpenOptions,
  open,
  type TransferPart,
} from "./library/drive.ts";
export { listDrives, listProviders } from "./library/inventory.ts";
export type {
  CopyOptions,
  RangeOptions,
  ResumeOptions,
  RouteOptions,
  TransferOptions,
  VerifyOptions,
} from "./library/options.ts";
export type { Running } from "./library/running.ts";
export { VERSION as version } from "./version.ts";
