// SPDX-License-Identifier: MIT
import { closeSync, openSync, writeSync } from "node:fs";
import { usageError } from "../core/errors.ts";
import { placesOf, requireProvider, takeMemory } from "../core/p2pmem/memtest-memory.ts";
import { followPass, interrupted } from "../core/p2pmem/memtest-pass.ts";
import { parsePattern } from "../core/p2pmem/memtest-pattern.ts";
import type { AllocatorKind } from "../core/p2pmem/providers.ts";
import type { StagingBuffer } from "../core/p2pmem/staging.ts";
import { SystemFiles } from "../core/sysfs.ts";
import { formatBytes, parseSize } from "../core/units.ts";
import { native, SyscallError } from "../ffi/index.ts";
import { Hexdump } from "./cmb-hexdump.ts";
import { type CaughtSignals, catchSignals } from "./cmb-signals.ts";
import type { CliContext } from "./context.ts";
import { makeProgress } from "./progress.ts";

export interface HoldOptions {
  readonly allocator?: AllocatorKind;
  readonly json?: boolean;
}

export interface FillOptions extends HoldOptions {
  readonly pattern: string;
  readonly hold?: boolean;
}

export interface DumpOptions {
  readonly allocator?: AllocatorKind;
  readonly offset: string;
  readonly output?: string;
}

const CHUNK_BYTES = 64 * 1024;

/** `cmb alloc`: holds memory until a signal says that it is enough, which is success. */
export function allocate(
  context: CliContext,
  provider: string,
  size: string,
  options: HoldOptions,
): Promise<void> {
  return withMemory(provider, parseSize(size, "size"), options.allocator, async (memory, signals) => {
    present(context, memory, "p2pdma.cmb-alloc/1", options);
    await hold(context, signals);
  });
}

/** `cmb fill` */
export function fill(
  context: CliContext,
  provider: string,
  size: string,
  options: FillOptions,
): Promise<void> {
  const pattern = parsePattern(options.pattern);
  return withMemory(provider, parseSize(size, "size"), options.allocator, async (memory, signals) => {
    const progress = makeProgress(context, true);
    const { mapping } = memory;
    progress.start(BigInt(mapping.lengthBytes));
    try {
      const whole = { mapping, offsetBytes: 0, lengthBytes: mapping.lengthBytes };
      const onBytes = (bytes: bigint) => progress.update(bytes);
      await followPass(native.startFill(whole, pattern), { abort: signals.abort, onBytes });
    } finally {
      progress.stop();
    }
    present(context, memory, "p2pdma.cmb-fill/1", options, options.pattern);
    if (options.hold) await hold(context, signals);
  });
}

/** `cmb dump` */
export async function dump(
  context: CliContext,
  provider: string,
  size: string,
  options: DumpOptions,
): Promise<void> {
  const [length, offset] = [parseSize(size, "size"), parseSize(options.offset, "--offset")];
  if (length === 0n) throw usageError("Cannot dump 0 bytes of p2pmem");
  await withMemory(provider, offset + length, options.allocator, async (memory, signals) => {
    context.err(`p2pdma: ${describePlace(memory)}\n`);
    const sink = openSink(options.output, offset);
    try {
      await untilReaderLeaves(async () => {
        for await (const part of readParts(memory, offset, length, signals.abort)) await sink.write(part);
        await sink.end();
      });
    } finally {
      sink.close();
    }
  });
}

/** Bytes of an allocation; device memory is only touched in aligned words. */
async function* readParts(memory: StagingBuffer, offset: bigint, length: bigint, abort: AbortSignal) {
  const end = Number(offset + length);
  for (let at = Number(offset); at < end; ) {
    if (abort.aborted) throw interrupted();
    const start = at - (at % 8);
    const stop = Math.min(start + CHUNK_BYTES, end + ((8 - (end % 8)) % 8));
    const range = { mapping: memory.mapping, offsetBytes: start, lengthBytes: stop - start };
    const bytes = await native.readMemory(range);
    yield bytes.subarray(at - start, Math.min(stop, end) - start);
    at = stop;
  }
}

interface Sink {
  write(data: Buffer): Promise<void>;
  end(): Promise<void>;
  close(): void;
}

function openSink(output: string | undefined, offset: bigint): Sink {
  if (output === undefined) {
    const hexdump = new Hexdump(offset);
    return {
      write: (data) => writeOut(hexdump.add(data)),
      end: () => writeOut(hexdump.end()),
      close: () => {},
    };
  }
  if (output === "-") return { write: writeOut, end: async () => {}, close: () => {} };
  const fd = naming("open", output, () => openSync(output, "w"));
  return {
    write: async (data) => {
      for (let at = 0; at < data.length; ) at += naming("write", output, () => writeSync(fd, data, at));
    },
    end: async () => {},
    close: () => closeSync(fd),
  };
}

/** Waits until it is on its way, so that a slow reader does not fill our memory. */
function writeOut(data: string | Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(data, (error) => (error ? reject(error) : resolve()));
  });
}

/** A reader that has seen enough (`| head`) is no error. */
async function untilReaderLeaves(action: () => Promise<void>): Promise<void> {
  const ignore = () => {}; // the same error comes to writeOut
  process.stdout.on("error", ignore);
  try {
    await action();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw error;
  } finally {
    process.stdout.off("error", ignore);
  }
}

/** Errors of node:fs as those of our own calls. */
function naming<T>(call: string, path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    throw errno === undefined ? error : new SyscallError(call, -errno, path);
  }
}

/** Memory for as long as the action takes, and signals as its end. */
async function withMemory(
  wanted: string,
  sizeBytes: bigint,
  kind: AllocatorKind | undefined,
  action: (memory: StagingBuffer, signals: CaughtSignals) => Promise<void>,
): Promise<void> {
  const provider = requireProvider(new SystemFiles(), wanted);
  const signals = catchSignals();
  try {
    const memory = takeMemory(native, provider, sizeBytes, kind);
    try {
      await action(memory, signals);
    } finally {
      memory.close();
    }
  } catch (error) {
    throw signals.translate(error);
  } finally {
    signals.release();
  }
}

async function hold(context: CliContext, signals: CaughtSignals): Promise<void> {
  context.err("p2pdma: holding it; Ctrl-C gives it back\n");
  await signals.wait();
}

function present(
  context: CliContext,
  memory: StagingBuffer,
  schema: string,
  options: HoldOptions,
  pattern?: string,
): void {
  if (!options.json) {
    context.out(`${describePlace(memory)}${pattern === undefined ? "" : `, filled with ${pattern}`}\n`);
    return;
  }
  const document = { schema, ...documentOf(memory), ...(pattern !== undefined && { pattern }) };
  context.out(`${JSON.stringify(document, null, 2)}\n`);
}

function documentOf(memory: StagingBuffer) {
  const places = placesOf(memory);
  return {
    provider: memory.provider?.bdf ?? null,
    providerName: memory.provider?.name ?? null,
    allocator: memory.allocator?.kind ?? null,
    path: memory.allocator?.path ?? null,
    sizeBytes: String(memory.mapping.lengthBytes),
    pid: process.pid,
    isProvenInBar: memory.residency?.checked ? memory.residency.inside : null,
    ranges:
      places?.map(({ start, end, bar, barOffset }) => ({
        ...{ start: hex(start), end: hex(end), bar, barOffsetBytes: String(barOffset) },
      })) ?? null,
  };
}

/** `8 MiB of 0000:03:00.0 (nvme0): 0xf4020000-0xf481ffff, BAR 2 from byte 131072 on` */
function describePlace(memory: StagingBuffer): string {
  const { provider, mapping, residency } = memory;
  const what = `${formatBytes(mapping.lengthBytes)} of ${provider?.bdf} (${provider?.name})`;
  const places = placesOf(memory);
  if (!places) return `${what}, place not known: ${residency?.checked === false ? residency.reason : ""}`;
  const words = places.map(
    ({ start, end, bar, barOffset }) =>
      `${hex(start)}-${hex(end - 1n)}, BAR ${bar} from byte ${barOffset} on`,
  );
  return `${what}: ${words.join("; ")}`;
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
