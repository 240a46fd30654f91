// SPDX-License-Identifier: MIT
import { open } from "node:fs/promises";
import { P2pdmaError, usageError } from "../core/errors.ts";
import { ExitCode } from "../core/exit-codes.ts";
import type { ReadableBytes } from "../core/p2pmem/compare-bytes.ts";
import type { HeldBuffer } from "../core/p2pmem/held-buffer.ts";
import type { PassWatch } from "../core/p2pmem/memtest-pass.ts";
import type { AllocatorKind } from "../core/p2pmem/providers.ts";
import { FileBytes } from "../core/shell/file-bytes.ts";
import { naming } from "../core/shell/naming.ts";
import { parsePlace, readInto, type TransferRequest, writeFrom } from "../core/shell/transfer.ts";
import { parseSize } from "../core/units.ts";
import { Hexdump } from "./cmb-hexdump.ts";
import { catchSignals } from "./cmb-signals.ts";
import { optionalSize, permissionOf } from "./copy-options.ts";
import { askPermission, parseOverwrite } from "./copy-permission.ts";
import { makeProgress } from "./progress.ts";
import type { ShellSession } from "./shell-session.ts";
import { describeBuffer, renderBuffers } from "./shell-text.ts";

const ON_SCREEN_BYTES = 256n;

export function allocate(
  session: ShellSession,
  provider: string,
  size: string,
  options: { name?: string; allocator?: AllocatorKind },
): void {
  const sizeBytes = parseSize(size, "size");
  const buffer = session.buffers.allocate(session.env, { ...options, provider, sizeBytes });
  session.context.out(`${describeBuffer(buffer)}\n`);
}

export function listBuffers({ context, buffers }: ShellSession): void {
  const held = buffers.list();
  context.out(held.length === 0 ? "no buffers are held\n" : renderBuffers(held));
}

export async function fill(session: ShellSession, name: string, pattern: string): Promise<void> {
  const buffer = session.buffers.get(name);
  if (!pattern.includes("/"))
    return watched(session, buffer.sizeBytes, (watch) => buffer.fill(pattern, watch));
  await using file = await FileBytes.open(pattern);
  await watched(session, file.sizeBytes, (watch) => buffer.load(file, watch));
}

export async function dump(
  session: ShellSession,
  name: string,
  offsetText: string | undefined,
  lengthText: string | undefined,
  { output }: { output?: string },
): Promise<void> {
  const buffer = session.buffers.get(name);
  const offset = optionalSize(offsetText, "offset") ?? 0n;
  const length = optionalSize(lengthText, "length");
  if (output !== undefined) {
    return watched(session, length ?? buffer.sizeBytes - offset, (watch) =>
      save(buffer, { offset, length }, output, watch),
    );
  }
  const left = buffer.sizeBytes - offset;
  const part = { offset, length: length ?? (left < ON_SCREEN_BYTES && left >= 0n ? left : ON_SCREEN_BYTES) };
  const hexdump = new Hexdump(offset);
  await watched(session, undefined, async ({ abort }) => {
    for await (const bytes of buffer.dump(part, abort)) session.context.out(hexdump.add(bytes));
  });
  session.context.out(hexdump.end());
}

export async function compare(session: ShellSession, name: string, otherName: string): Promise<void> {
  const { buffers } = session;
  const buffer = buffers.get(name);
  if (!otherName.includes("/")) return compareWith(session, buffer, buffers.get(otherName), otherName);
  await using file = await FileBytes.open(otherName);
  await compareWith(session, buffer, file, otherName);
}

/** @throws P2pdmaError DATA_DIFFER */
async function compareWith(
  session: ShellSession,
  buffer: HeldBuffer,
  other: ReadableBytes,
  otherName: string,
): Promise<void> {
  const most = buffer.sizeBytes < other.sizeBytes ? buffer.sizeBytes : other.sizeBytes;
  await watched(session, most, async (watch) => {
    const { comparedBytes, differingBytes, firstDifference } = await buffer.compare(other, watch);
    if (firstDifference !== undefined) {
      throw new P2pdmaError(
        "DATA_DIFFER",
        ExitCode.dataDiffer,
        `"${buffer.name}" differs from "${otherName}" in ${differingBytes} of ${comparedBytes} bytes, first at byte ${firstDifference}`,
      );
    }
    session.context.out(`equal: ${comparedBytes} bytes of ${buffer.name} and ${otherName}\n`);
  });
}

export interface PlaceOptions {
  readonly at?: string;
  readonly length?: string;
}

export interface WriteOptions extends PlaceOptions {
  readonly allowWrite?: string;
  readonly overwrite?: string;
}

export async function read(
  session: ShellSession,
  device: string,
  name: string,
  options: PlaceOptions,
): Promise<void> {
  const request = transferOf(session.buffers.get(name), device, options);
  await watched(session, bytesOf(request), async (watch) => {
    const { path, bytes } = await readInto(session.env, request, watch);
    session.context.out(
      `${bytes} bytes from byte ${request.deviceOffset} of ${path} to ${name}, peer-to-peer\n`,
    );
  });
}

export async function write(
  session: ShellSession,
  name: string,
  device: string,
  options: WriteOptions,
): Promise<void> {
  const { context, env } = session;
  const permission = permissionOf(options.allowWrite);
  const request = {
    ...transferOf(session.buffers.get(name), device, options),
    overwrite: options.overwrite === undefined ? [] : parseOverwrite(options.overwrite),
  };
  await watched(session, bytesOf(request), async (watch) => {
    const permit: Parameters<typeof writeFrom>[1]["permit"] = (end) =>
      askPermission(context, env, end, permission);
    const { path, bytes } = await writeFrom(env, { ...request, permit }, watch);
    context.out(
      `${bytes} bytes from ${name} to byte ${request.deviceOffset} of ${path}, peer-to-peer, flushed\n`,
    );
  });
}

export function free({ buffers }: ShellSession, names: readonly string[], { all }: { all?: boolean }): void {
  if (all ? names.length > 0 : names.length === 0) throw usageError("Name the buffers to free, or say --all");
  if (all) buffers.freeAll();
  else buffers.free(names);
}

function transferOf(buffer: HeldBuffer, place: string, { at, length }: PlaceOptions): TransferRequest {
  return {
    buffer,
    ...parsePlace(place),
    bufferOffset: optionalSize(at, "--at") ?? 0n,
    length: optionalSize(length, "--length"),
  };
}

function bytesOf({ buffer, bufferOffset, length }: TransferRequest): bigint {
  return length ?? buffer.sizeBytes - bufferOffset;
}

async function save(
  buffer: HeldBuffer,
  part: Parameters<HeldBuffer["dump"]>[0],
  output: string,
  { abort, onBytes }: PassWatch,
): Promise<void> {
  await using sink = await openSink(output);
  let done = 0n;
  for await (const bytes of buffer.dump(part, abort)) {
    await sink.write(bytes);
    done += BigInt(bytes.length);
    onBytes?.(done);
  }
}

async function openSink(output: string): Promise<AsyncDisposable & { write(data: Buffer): Promise<void> }> {
  if (output === "-") {
    const write = (data: Buffer) =>
      new Promise<void>((resolve, reject) =>
        // A reader that has seen enough (`| head`) is no error.
        process.stdout.write(data, (error) => (isOther(error) ? reject(error) : resolve())),
      );
    return { write, [Symbol.asyncDispose]: async () => {} };
  }
  const file = await naming("open", output, () => open(output, "w"));
  return {
    write: (data) => naming("write", output, () => file.writeFile(data)),
    [Symbol.asyncDispose]: () => file.close(),
  };
}

function isOther(error: NodeJS.ErrnoException | null | undefined): boolean {
  return Boolean(error) && error?.code !== "EPIPE";
}

/** Work with a bar where somebody looks, that a signal ends. */
async function watched(
  { context }: ShellSession,
  totalBytes: bigint | undefined,
  work: (watch: PassWatch) => Promise<void>,
): Promise<void> {
  const signals = catchSignals();
  const progress = makeProgress(context, totalBytes !== undefined);
  try {
    let isShown = false;
    const onBytes = (bytes: bigint) => {
      if (!isShown) progress.start(totalBytes ?? 0n);
      isShown = true;
      progress.update(bytes);
    };
    await work({ abort: signals.abort, onBytes });
  } catch (error) {
    throw signals.translate(error);
  } finally {
    progress.stop();
    signals.release();
  }
}
