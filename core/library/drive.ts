// SPDX-License-Identifier: MIT
import { constants } from "node:fs";
import type { OpenFile } from "../../ffi/index.ts";
import { checkOpenedEnd } from "../copy/claim.ts";
import { type Endpoint, readDestination, readSource } from "../copy/endpoint.ts";
import { openReadable, openWritable } from "../copy/files.ts";
import {
  checkDestination,
  mayWrite,
  needsExclusive,
  noPermission,
  type OverwriteKind,
} from "../copy/safety.ts";
import { P2pdmaError, refused } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { compareTargetOf } from "../nvme/compare.ts";
import { type Comparer, compareMemory } from "../nvme/compare-memory.ts";
import { checkTransfer, move, readOpened, type TransferSpan, writeOpened } from "../shell/transfer.ts";
import { heldIn, type MemoryWatch, type P2pmemBuffer, passWatch } from "./buffer.ts";
import { bytes, type Checks, checkOptions, text } from "./check.ts";
import { here } from "./environment.ts";
import { permissionChecks } from "./options.ts";

export interface OpenOptions {
  /** Opens it for writing, with the permission that CopyOptions tells of. Default: for reading. */
  readonly allowWrite?: "all" | readonly string[] | undefined;
  /** What it may be or hold all the same. Default: nothing. */
  readonly overwrite?: readonly OverwriteKind[] | undefined;
}

/** Which bytes; all of it multiples of the block size. */
export interface TransferPart extends MemoryWatch {
  /** Where on the drive, in bytes. Default 0. */
  readonly offset?: bigint | undefined;
  /** Default: as much as the buffer holds from `bufferOffset` on. */
  readonly length?: bigint | undefined;
  /** Where in the buffer, in bytes. Default 0. */
  readonly bufferOffset?: bigint | undefined;
}

export interface DriveComparison {
  readonly equal: boolean;
  /** Where on the drive the first block that differs begins, in bytes; undefined when none does. */
  readonly firstDifference: bigint | undefined;
}

/**
 * A block device, partition or file that is open for direct I/O, and what is known of it. Its methods move data by
 * the drive's own DMA, peer-to-peer or not at all; each request holds this thread for up to 1 MiB.
 */
export interface Drive extends Disposable {
  readonly path: string;
  readonly kind: "block" | "file";
  readonly sizeBytes: bigint;
  /** What offsets and lengths must be multiples of: the LBA size of a block device. */
  readonly blockBytes: number;
  readonly isWritable: boolean;
  /** As the drive tells them; null where it does not, or where there is none. */
  readonly model: string | null;
  readonly serial: string | null;
  /** NGUID, EUI-64 or UUID, as the kernel spells it. */
  readonly wwid: string | null;
  /** PCI address of the function that does the DMA. */
  readonly pciAddress: string | null;
  /** Why it could never take part in a peer-to-peer transfer; null when it could. */
  readonly peerProblem: string | null;
  /** Reads into a buffer. @returns how many bytes */
  read(buffer: P2pmemBuffer, part?: TransferPart): Promise<bigint>;
  /** Writes a buffer and waits until it is durable. @returns how many bytes */
  write(buffer: P2pmemBuffer, part?: TransferPart): Promise<bigint>;
  /** Lets the drive compare a buffer with what it holds (NVMe Compare): no byte of it leaves the drive. */
  compare(buffer: P2pmemBuffer, part?: TransferPart): Promise<DriveComparison>;
  /** Harmless when repeated. */
  close(): void;
}

/**
 * Opens a drive for transfers to and from p2pmem: `using drive = open("/dev/nvme0n1")`.
 * @param name block device, partition or existing file; also `serial:SERIAL`, `serial:SERIAL/NSID` or `wwid:WWID`
 * @throws P2pdmaError NOT_FOUND; with `allowWrite` all that speaks against overwriting it: NO_PERMISSION, IN_USE,
 *   NOT_EMPTY (exit code 7). A block device that is open for writing is claimed: nothing else can mount it meanwhile
 */
export function open(name: string, options: OpenOptions = {}): Drive {
  checkOptions({ name }, { name: text });
  checkOptions(options, permissionChecks);
  const { allowWrite, overwrite = [] } = options;
  const isWritable = allowWrite !== undefined;
  const end = isWritable
    ? readDestination(here.sys, here.native, name)
    : readSource(here.sys, here.native, name);
  if (!end.exists)
    throw new P2pdmaError("NOT_FOUND", ExitCode.failed, `Cannot open "${end.path}": no such file`);
  if (isWritable && !mayWrite(here.sys, end, allowWrite)) throw noPermission(end);
  if (isWritable) checkDestination(here, end, overwrite);
  const isPeerToPeer = end.peerProblem === undefined;
  const file = isWritable
    ? openWritable(here.native, end, isPeerToPeer, needsExclusive(overwrite))
    : openReadable(here.native, end, isPeerToPeer);
  try {
    checkOpenedEnd(here, file, end);
    return new OpenDrive(end, file, isWritable);
  } catch (error) {
    here.native.close(file);
    throw error;
  }
}

const partChecks: Checks<Omit<TransferPart, keyof MemoryWatch>> = {
  offset: bytes(0n),
  length: bytes(1n),
  bufferOffset: bytes(0n),
};

class OpenDrive implements Drive {
  readonly path: string;
  readonly kind: "block" | "file";
  readonly sizeBytes: bigint;
  readonly blockBytes: number;
  readonly model: string | null;
  readonly serial: string | null;
  readonly wwid: string | null;
  readonly pciAddress: string | null;
  readonly peerProblem: string | null;
  readonly #end: Endpoint;
  readonly #file: OpenFile;
  #comparer: Comparer | undefined;
  #uses = 0;
  #isClosed = false;
  #hasGivenBack = false;

  constructor(
    end: Endpoint,
    file: OpenFile,
    readonly isWritable: boolean,
  ) {
    const { identity, client } = end.device ?? {};
    this.path = end.path;
    this.kind = end.kind;
    this.sizeBytes = end.sizeBytes;
    this.blockBytes = end.blockBytes;
    this.model = identity?.model ?? null;
    this.serial = identity?.serial ?? null;
    this.wwid = identity?.wwid ?? null;
    this.pciAddress = client ?? null;
    this.peerProblem = end.peerProblem ?? null;
    this.#end = end;
    this.#file = file;
  }

  async read(buffer: P2pmemBuffer, part: TransferPart = {}): Promise<bigint> {
    const { span, watch } = settle(buffer, part);
    return this.#using((opened) => readOpened(here, opened, span, watch));
  }

  async write(buffer: P2pmemBuffer, part: TransferPart = {}): Promise<bigint> {
    const { span, watch } = settle(buffer, part);
    if (!this.isWritable) {
      throw refused("NO_PERMISSION", `Cannot write to "${this.path}": it was opened for reading`, {
        hint: "open() takes allowWrite",
      });
    }
    return this.#using((opened) => writeOpened(here, opened, span, watch));
  }

  async compare(buffer: P2pmemBuffer, part: TransferPart = {}): Promise<DriveComparison> {
    const { span, watch } = settle(buffer, part);
    return this.#using(async ({ end }) => {
      const total = checkTransfer(end, span);
      const comparer = this.#openComparer();
      let firstDifference: bigint | undefined;
      await move(here, span, end, total, watch, (range, offset) => {
        if (firstDifference !== undefined) return;
        const at = compareMemory(here.native, comparer, range, offset);
        if (at !== undefined) firstDifference = offset + BigInt(at);
      });
      return { equal: firstDifference === undefined, firstDifference };
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#closeUnused();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** What is under way keeps the file open: its number must not become another file's meanwhile. */
  async #using<T>(work: (opened: { end: Endpoint; file: OpenFile }) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new TypeError(`"${this.path}" is closed`);
    this.#uses++;
    try {
      return await work({ end: this.#end, file: this.#file });
    } finally {
      this.#uses--;
      this.#closeUnused();
    }
  }

  #closeUnused(): void {
    if (!this.#isClosed || this.#uses > 0 || this.#hasGivenBack) return;
    this.#hasGivenBack = true;
    here.native.close(this.#file);
    if (this.#comparer) here.native.close(this.#comparer.file);
  }

  #openComparer(): Comparer {
    if (this.#comparer) return this.#comparer;
    const target = compareTargetOf(here, this.#end);
    if (typeof target === "string") {
      throw new P2pdmaError("NOT_COPYABLE", ExitCode.failed, `Cannot compare on "${this.path}": ${target}`);
    }
    this.#comparer = { ...target, file: here.native.open(target.charDevice, constants.O_RDWR) };
    return this.#comparer;
  }
}

function settle(buffer: P2pmemBuffer, part: TransferPart) {
  const held = heldIn(buffer);
  if (!held) throw new TypeError("The buffer must be what allocate() answered");
  const { offset = 0n, length, bufferOffset = 0n, signal, onBytes } = part;
  checkOptions({ offset, length, bufferOffset }, partChecks);
  const span: TransferSpan = { buffer: held, deviceOffset: offset, bufferOffset, length };
  return { span, watch: passWatch({ signal, onBytes }) };
}
