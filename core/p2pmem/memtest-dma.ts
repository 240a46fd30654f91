// SPDX-License-Identifier: MIT
import { createHash } from "node:crypto";
import {
  type BadRange,
  type Mapping,
  type MemoryFindings,
  type MemoryPattern,
  type Native,
  type OpenFile,
  SyscallError,
} from "../../ffi/index.ts";
import type { StepProgress, TestLog, TestPiece } from "./memtest-log.ts";
import { interrupted } from "./memtest-pass.ts";

/** A drive that does DMA into the memory under test, opened with O_DIRECT for reading. */
export interface DmaClient {
  readonly file: OpenFile;
  readonly sizeBytes: bigint;
  /** Logical block size. */
  readonly blockBytes: number;
}

export interface DmaOutcome {
  readonly transfers: bigint;
  readonly bytes: bigint;
  /** The medium held the same bytes everywhere, so transfers that changed places were not noticed. */
  readonly isUniform: boolean;
  /** Transfers done again since the medium changed meanwhile. */
  readonly changed: bigint;
}

/** Transfers have an odd number of blocks, so that most begin and end within a page that others share. */
const BLOCKS_BYTES = 64 * 1024;

/** A medium in use changes under our hands; so often a transfer is repeated before its data are called bad. */
const REPEATS = 3;

const EIO = 5;
const ALL_ONES = (1n << 64n) - 1n;

interface Window {
  readonly piece: number;
  readonly mapping: Mapping;
  readonly base: bigint;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  /** Where on the medium its bytes come from. */
  readonly mediumOffset: bigint;
  /** Filled by DMA in this round; the others keep what the CPU wrote. */
  readonly isTarget: boolean;
}

/**
 * Cuts memory into windows and lets the drive read its medium into every other one of them, then into the rest.
 * What arrived must be what the same blocks hold when read into RAM, and the windows between must be untouched.
 * @throws SyscallError when the drive can't read.
 */
export async function testByDma(
  native: Native,
  pieces: readonly TestPiece[],
  client: DmaClient,
  seed: bigint,
  pass: number,
  log: TestLog,
  progress: StepProgress,
): Promise<DmaOutcome> {
  const round = new Round(native, client, { kind: "random", seed }, pass, log, progress);
  for (const parity of [0, 1]) await round.run(pieces, cutWindows(pieces, client, parity));
  return round.outcome();
}

/** @param parity which windows are targets: those with an even number (0) or an odd one (1). */
export function cutWindows(pieces: readonly TestPiece[], client: DmaClient, parity: number): Window[] {
  const stride = BLOCKS_BYTES + client.blockBytes;
  const places = client.sizeBytes / BigInt(stride);
  const windows: Window[] = [];
  for (const [piece, { mapping, base }] of pieces.entries()) {
    for (let offsetBytes = 0; offsetBytes < mapping.lengthBytes; offsetBytes += stride) {
      const number = windows.length;
      windows.push({
        ...{ piece, mapping, base: base + BigInt(offsetBytes), offsetBytes },
        lengthBytes: Math.min(stride, mapping.lengthBytes - offsetBytes),
        mediumOffset: places === 0n ? 0n : (BigInt(number) % places) * BigInt(stride),
        isTarget: number % 2 === parity,
      });
    }
  }
  return windows;
}

/** One fill, one transfer into every target, and a look at everything. */
class Round {
  private transfers = 0n;
  private bytes = 0n;
  private changed = 0n;
  private first: Buffer | undefined;
  private isUniform = true;
  private readonly reference: Buffer;

  constructor(
    private readonly native: Native,
    private readonly client: DmaClient,
    private readonly pattern: MemoryPattern,
    private readonly pass: number,
    private readonly log: TestLog,
    private readonly progress: StepProgress,
  ) {
    this.reference = native.alignedBuffer(BLOCKS_BYTES + client.blockBytes);
  }

  outcome(): DmaOutcome {
    const { transfers, bytes, changed, isUniform } = this;
    return { transfers, bytes, changed, isUniform: isUniform && transfers > 1n };
  }

  async run(pieces: readonly TestPiece[], windows: readonly Window[]): Promise<void> {
    for (const { mapping, base } of pieces) {
      const whole = { mapping, offsetBytes: 0, lengthBytes: mapping.lengthBytes };
      await this.progress.follow(this.native.startFill(whole, { ...this.pattern, base }));
    }
    const sent = new Map<Window, string>();
    for (const window of windows.filter(({ isTarget }) => isTarget)) {
      sent.set(window, await this.transfer(window));
    }
    for (const window of windows) {
      this.checkAbort();
      const digest = sent.get(window);
      await (digest === undefined ? this.verify(window) : this.compare(window, digest));
    }
  }

  /** @returns a digest of what the medium held just before. */
  private async transfer(window: Window): Promise<string> {
    this.checkAbort();
    const { mapping, offsetBytes, lengthBytes, mediumOffset } = window;
    const digest = digestOf(await this.readMedium(window));
    const got = this.native.readFully(this.client.file, { mapping, offsetBytes, lengthBytes }, mediumOffset);
    if (got < lengthBytes) throw new SyscallError("pread", EIO, this.client.file.path);
    this.transfers++;
    this.bytes += BigInt(lengthBytes);
    return digest;
  }

  private async verify({ piece, mapping, base, offsetBytes, lengthBytes }: Window): Promise<void> {
    const range = { mapping, offsetBytes, lengthBytes };
    const verification = this.native.startVerify(range, { ...this.pattern, base });
    await this.progress.follow(verification);
    this.report(piece, "written by CPU, not meant by any DMA", offsetBytes, verification.findings());
  }

  /** A medium that holds the same before and after leaves no excuse for other bytes in the memory. */
  private async compare(window: Window, sent: string): Promise<void> {
    const { piece, mapping, offsetBytes, lengthBytes } = window;
    let digest = sent;
    for (let repeats = 0; repeats <= REPEATS; repeats++) {
      const arrived = await this.native.readMemory({ mapping, offsetBytes, lengthBytes });
      const medium = await this.readMedium(window);
      if (arrived.equals(medium)) break;
      if (digestOf(medium) === digest) {
        this.report(piece, "written by DMA", offsetBytes, differences(medium, arrived));
        break;
      }
      this.changed++;
      digest = await this.transfer(window);
    }
    this.progress.add(BigInt(lengthBytes));
  }

  /** Into RAM; valid until the next call. */
  private async readMedium({ lengthBytes, mediumOffset }: Window): Promise<Buffer> {
    const buffer = this.reference.subarray(0, lengthBytes);
    const got = await this.native.readSome(this.client.file, buffer, mediumOffset);
    if (got < lengthBytes) throw new SyscallError("pread", EIO, this.client.file.path);
    this.first ??= Buffer.from(buffer);
    const shared = Math.min(lengthBytes, this.first.length);
    if (!buffer.subarray(0, shared).equals(this.first.subarray(0, shared))) this.isUniform = false;
    return buffer;
  }

  private checkAbort(): void {
    if (this.progress.abort?.aborted) throw interrupted();
  }

  private report(piece: number, content: string, offsetBytes: number, findings: MemoryFindings): void {
    this.log.add({ test: "dma", content, pass: this.pass, piece }, BigInt(offsetBytes), findings);
  }
}

function digestOf(data: Buffer): string {
  return createHash("sha256").update(data).digest("base64");
}

/** Both are as long, a multiple of 8. One range from the first word that differs to the last. */
export function differences(expected: Buffer, got: Buffer): MemoryFindings {
  let range: { -readonly [key in keyof BadRange]: BadRange[key] } | undefined;
  let allOnes = 0n;
  for (let at = 0; at < expected.length; at += 8) {
    const [wanted, found] = [expected.readBigUInt64LE(at), got.readBigUInt64LE(at)];
    if (wanted === found) continue;
    const offsetBytes = BigInt(at);
    range ??= { offsetBytes, lengthBytes: 8n, badWords: 0n, expected: wanted, got: found, badBits: 0n };
    range.lengthBytes = offsetBytes + 8n - range.offsetBytes;
    range.badWords++;
    range.badBits |= wanted ^ found;
    if (found === ALL_ONES) allOnes++;
  }
  return {
    ranges: range ? [range] : [],
    badRanges: range ? 1n : 0n,
    badWords: range?.badWords ?? 0n,
    allOnes,
  };
}
