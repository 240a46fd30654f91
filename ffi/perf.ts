// SPDX-License-Identifier: MIT
import { close, type OpenFile } from "./files.ts";
import { libcCall } from "./load.ts";

const SYS_PERF_EVENT_OPEN: Readonly<Record<string, number>> = { x64: 298, arm64: 241 };
const ATTRIBUTE_BYTES = 64; // PERF_ATTR_SIZE_VER0
const FLAG_CLOEXEC = 8;
const ENABLED_AND_RUNNING = 1 | 2;

/** A hardware event as the kernel numbers it: `type` of its unit in sysfs, `config` in the unit's own format. */
export interface PerfEvent {
  readonly type: number;
  readonly config: bigint;
  /** Counted for all that runs there: any processor of the package that the unit belongs to. */
  readonly cpu: number;
  readonly label: string;
}

/** A counter that runs until it is closed. */
export interface PerfCounter {
  /** Counted so far; estimated when the kernel had to share the unit with others. */
  read(): number;
  close(): void;
}

/**
 * perf_event_open(2) for everything on a processor's package.
 * @throws SyscallError EACCES or EPERM without the right to (CAP_PERFMON), ENOENT for an event that is not there.
 */
export function openPerfCounter(event: PerfEvent): PerfCounter {
  const attribute = Buffer.alloc(ATTRIBUTE_BYTES);
  attribute.writeUInt32LE(event.type, 0);
  attribute.writeUInt32LE(ATTRIBUTE_BYTES, 4);
  attribute.writeBigUInt64LE(event.config, 8);
  attribute.writeBigUInt64LE(BigInt(ENABLED_AND_RUNNING), 32);
  const number = SYS_PERF_EVENT_OPEN[process.arch] ?? -1;
  const fd = libcCall("syscall", event.label, number, attribute, -1, event.cpu, -1, FLAG_CLOEXEC);
  const file: OpenFile = { fd, path: event.label };
  return { read: () => readScaled(file), close: () => close(file) };
}

function readScaled({ fd, path }: OpenFile): number {
  const out = Buffer.alloc(24);
  libcCall("read", path, fd, out, out.length);
  const [count, enabled, running] = [0, 8, 16].map((at) => Number(out.readBigUInt64LE(at)));
  return running ? ((count ?? 0) * (enabled ?? 0)) / running : 0;
}
