// SPDX-License-Identifier: MIT

interface EventBase<Name extends string> {
  readonly schema: "p2pdma.progress/1";
  readonly event: Name;
  /** ISO 8601, UTC. */
  readonly at: string;
}

/** Everything is checked, nothing is read yet. */
export interface StartEvent extends EventBase<"start"> {
  readonly source: string;
  readonly destination: string;
  readonly lengthBytes: string;
  /** null when none is kept. */
  readonly journal: string | null;
  readonly pid: number;
}

/** The memory that all data will go through. */
export interface RouteEvent extends EventBase<"route"> {
  readonly via: "p2p" | "ram" | "nvme-copy";
  readonly reason: string;
  /** What was tried before, and why it could not be. */
  readonly rejected: readonly string[];
  /** Chunks in flight at most. */
  readonly depth: number;
  /** PCI address of the device whose memory it is; null for RAM. */
  readonly provider: string | null;
  readonly stagingBytes: string;
}

/** Ten to twenty times a second while data move. */
export interface ProgressEvent extends EventBase<"progress"> {
  readonly phase: "copy" | "zero" | "rescue" | "verify";
  readonly bytesDone: string;
  /** Of this phase. */
  readonly bytesTotal: string;
  /** Since the phase began. */
  readonly bytesPerSecond: number;
  readonly depth: number;
}

/** So much would survive a power cut, and the journal says so. */
export interface CheckpointEvent extends EventBase<"checkpoint"> {
  readonly journal: string;
  readonly durableBytes: string;
}

/** Something the user should know that stops nothing. */
export interface WarningEvent extends EventBase<"warning"> {
  readonly message: string;
}

/** The last one. */
export interface EndEvent extends EventBase<"end"> {
  readonly exitCode: number;
  readonly message: string;
}

/** How a copy gets on: schemas/progress.schema.json. Byte counts are decimal strings. */
export type CopyEvent = StartEvent | RouteEvent | ProgressEvent | CheckpointEvent | WarningEvent | EndEvent;
