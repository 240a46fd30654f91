// SPDX-License-Identifier: MIT
// One transfer between a held buffer and a device, by the device's own DMA.
import { existsSync } from "node:fs";
import { type MemoryRange, type OpenFile, PAGE_BYTES, SyscallError } from "../../ffi/index.ts";
import { expectOf } from "../copy/candidates.ts";
import { checkOpenedEnd } from "../copy/claim.ts";
import { type Endpoint, readDestination, readSource } from "../copy/endpoint.ts";
import { openReadable, openWritable } from "../copy/files.ts";
import { explainFailure } from "../copy/probe.ts";
import type { CopyEnvironment } from "../copy/request.ts";
import { checkDestination, needsExclusive, type OverwriteKind } from "../copy/safety.ts";
import { noPeerToPeer, P2pdmaError, usageError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import type { HeldBuffer } from "../p2pmem/held-buffer.ts";
import type { PassWatch } from "../p2pmem/memtest-pass.ts";
import { readMachine } from "../topo/index.ts";
import { parseSize } from "../units.ts";

/** What is moved: part of a held buffer, and a place on a device. */
export interface TransferSpan {
  readonly buffer: HeldBuffer;
  /** Bytes, multiples of the device's block size. */
  readonly deviceOffset: bigint;
  readonly bufferOffset: bigint;
  /** Undefined goes to the end of the buffer. */
  readonly length: bigint | undefined;
}

export interface TransferRequest extends TransferSpan {
  /** Block device, partition, or existing file; also `serial:…` or `wwid:…`. */
  readonly device: string;
}

/** An endpoint that is open for direct I/O. */
export interface OpenEnd {
  readonly end: Endpoint;
  readonly file: OpenFile;
}

export interface WriteRequest extends TransferRequest {
  /** Asks for leave to overwrite; must throw when there is none. */
  readonly permit: (destination: Endpoint) => void | Promise<void>;
  readonly overwrite: readonly OverwriteKind[];
}

/**
 * Reads `DEVICE@OFFSET`. A name with an @ that no size follows, or that is there as it stands, is a name.
 * @throws P2pdmaError USAGE
 */
export function parsePlace(text: string): Pick<TransferRequest, "device" | "deviceOffset"> {
  const [, device, offset = ""] = /^(.+)@(\d[\w.]*)$/.exec(text) ?? [];
  if (device === undefined || existsSync(text)) return { device: text, deviceOffset: 0n };
  return { device, deviceOffset: parseSize(offset, "the device's offset") };
}

/** What was moved. */
export interface Transfer {
  readonly path: string;
  readonly bytes: bigint;
}

/** A call of this size ends soon, so that a signal is heard; there is no telling how far a broken one came. */
const PIECE_BYTES = 1 << 20;

/** Reads from a device into a held buffer. @throws P2pdmaError, exit code 3 where peer-to-peer is not possible */
export async function readInto(
  env: CopyEnvironment,
  request: TransferRequest,
  watch: PassWatch,
): Promise<Transfer> {
  const end = readSource(env.sys, env.native, request.device);
  checkTransfer(end, request);
  const file = openReadable(env.native, end, true);
  try {
    checkOpenedEnd(env, file, end);
    return { path: end.path, bytes: await readOpened(env, { end, file }, request, watch) };
  } finally {
    env.native.close(file);
  }
}

/** The same from what is open already. @returns how many bytes */
export async function readOpened(
  env: CopyEnvironment,
  { end, file }: OpenEnd,
  span: TransferSpan,
  watch: PassWatch,
): Promise<bigint> {
  const bytes = checkTransfer(end, span);
  await move(env, span, end, bytes, watch, (range, offset) => {
    if (env.native.readFully(file, range, offset) < range.lengthBytes) throw endedEarly(end);
  });
  return bytes;
}

/**
 * Writes a held buffer to a device or into an existing file and waits until the data are durable. The same checks
 * and the same permission as for a copy's destination come first.
 */
export async function writeFrom(
  env: CopyEnvironment,
  request: WriteRequest,
  watch: PassWatch,
): Promise<Transfer> {
  const end = readDestination(env.sys, env.native, request.device);
  if (!end.exists) throw noSuchFile(end);
  checkTransfer(end, request);
  checkDestination(env, end, request.overwrite);
  await request.permit(end);
  // Somebody may have read a prompt for minutes.
  checkDestination(env, end, request.overwrite);
  const file = openWritable(env.native, end, true, needsExclusive(request.overwrite));
  try {
    checkOpenedEnd(env, file, end);
    return { path: end.path, bytes: await writeOpened(env, { end, file }, request, watch) };
  } finally {
    env.native.close(file);
  }
}

/** The same to what is open already. @returns how many bytes */
export async function writeOpened(
  env: CopyEnvironment,
  { end, file }: OpenEnd,
  span: TransferSpan,
  watch: PassWatch,
): Promise<bigint> {
  const bytes = checkTransfer(end, span);
  await move(env, span, end, bytes, watch, (range, offset) => env.native.writeFully(file, range, offset));
  await env.native.flush(file);
  return bytes;
}

/** Goes over a part of a buffer in pieces, between which signals are heard. */
export async function move(
  env: CopyEnvironment,
  { buffer, deviceOffset, bufferOffset }: TransferSpan,
  end: Endpoint,
  bytes: bigint,
  { abort, onBytes }: PassWatch,
  transfer: (range: MemoryRange, offset: bigint) => void,
): Promise<void> {
  const staging = buffer.lend(PAGE_BYTES, 1);
  let done = 0;
  try {
    while (done < Number(bytes)) {
      if (abort?.aborted) throw interrupted(done, bytes);
      const lengthBytes = Math.min(PIECE_BYTES, Number(bytes) - done);
      const range = { mapping: staging.mapping, offsetBytes: Number(bufferOffset) + done, lengthBytes };
      transfer(range, deviceOffset + BigInt(done));
      done += lengthBytes;
      onBytes?.(BigInt(done));
      await new Promise(setImmediate);
    }
  } catch (error) {
    throw error instanceof SyscallError ? transferError(env, buffer, end, done, error) : error;
  } finally {
    staging.close();
  }
}

/** Peer-to-peer or not at all, whole blocks, inside both. @returns how many bytes */
export function checkTransfer(
  end: Endpoint,
  { buffer, deviceOffset, bufferOffset, length }: TransferSpan,
): bigint {
  if (end.peerProblem) {
    throw noPeerToPeer(
      "NOT_COPYABLE",
      `No DMA between "${end.path}" and "${buffer.name}": ${end.peerProblem}`,
    );
  }
  if (bufferOffset > buffer.sizeBytes) throw beyond(buffer.name, buffer.sizeBytes, bufferOffset);
  const bytes = length ?? buffer.sizeBytes - bufferOffset;
  if (bytes === 0n) throw usageError("There are no bytes to move");
  checkAligned(end, { "--at": bufferOffset, "the device's offset": deviceOffset, "the length": bytes });
  if (bufferOffset + bytes > buffer.sizeBytes)
    throw beyond(buffer.name, buffer.sizeBytes, bufferOffset + bytes);
  if (deviceOffset + bytes > end.sizeBytes) throw beyond(end.path, end.sizeBytes, deviceOffset + bytes);
  return bytes;
}

function checkAligned({ path, blockBytes }: Endpoint, values: Readonly<Record<string, bigint>>): void {
  for (const [what, value] of Object.entries(values)) {
    if (value % BigInt(blockBytes) === 0n) continue;
    throw new P2pdmaError(
      "MISALIGNED",
      ExitCode.usage,
      `${what} ${value} is no multiple of the block size ${blockBytes} of "${path}"`,
      { hint: "direct I/O moves whole blocks" },
    );
  }
}

function beyond(what: string, sizeBytes: bigint, asked: bigint): P2pdmaError {
  return usageError(
    `"${what}" ends at ${sizeBytes} bytes, asked up to ${asked}`,
    "--length limits the transfer",
  );
}

function noSuchFile({ path }: Endpoint): P2pdmaError {
  return new P2pdmaError("NOT_FOUND", ExitCode.failed, `Cannot write to "${path}": no such file`, {
    hint: "write goes to devices and into files that are there; copy --through makes new ones",
  });
}

function endedEarly({ path }: Endpoint): P2pdmaError {
  return new P2pdmaError("COPY_FAILED", ExitCode.failed, `"${path}" ended before all was read`);
}

function transferError(
  env: CopyEnvironment,
  buffer: HeldBuffer,
  end: Endpoint,
  done: number,
  cause: SyscallError,
): P2pdmaError {
  const { provider } = buffer;
  const expected = expectOf(readMachine(env.sys), provider, end.device?.client);
  const why = explainFailure(cause, end, provider, expected);
  const what = `No transfer between "${end.path}" and "${buffer.name}": ${why}`;
  const isRefusal = done === 0 && (cause.code === "EREMOTEIO" || cause.code === "EINVAL");
  if (isRefusal) return noPeerToPeer("P2P_REFUSED", what, { cause });
  const hint = `${done} bytes were moved before it`;
  return new P2pdmaError("COPY_FAILED", ExitCode.failed, what, { cause, hint });
}

function interrupted(done: number, bytes: bigint): P2pdmaError {
  const what = `Interrupted: ${done} of ${bytes} bytes were moved`;
  return new P2pdmaError("INTERRUPTED", ExitCode.interrupted, what);
}
