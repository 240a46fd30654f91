// SPDX-License-Identifier: MIT
import { noPeerToPeer, P2pdmaError, usageError } from "../core/errors.ts";
import { ExitCode } from "../core/exit-codes.ts";
import {
  bytesToMove,
  CPU_PATTERNS,
  type CpuPattern,
  type MemoryTestPlan,
  type MemoryTestResult,
  testMemory,
} from "../core/p2pmem/memtest.ts";
import { type FoundClient, findClient, openClient } from "../core/p2pmem/memtest-client.ts";
import { type TestReport, testDocument } from "../core/p2pmem/memtest-json.ts";
import type { TestPiece } from "../core/p2pmem/memtest-log.ts";
import { placesOf, requireProvider, takeFreeMemory } from "../core/p2pmem/memtest-memory.ts";
import { interrupted } from "../core/p2pmem/memtest-pass.ts";
import { parseSeed } from "../core/p2pmem/memtest-pattern.ts";
import type { AllocatorKind, Provider } from "../core/p2pmem/providers.ts";
import type { StagingBuffer } from "../core/p2pmem/staging.ts";
import { SystemFiles } from "../core/sysfs.ts";
import { formatBytes, parseSize } from "../core/units.ts";
import { native } from "../ffi/index.ts";
import { type CaughtSignals, catchSignals } from "./cmb-signals.ts";
import { renderTest } from "./cmb-test-text.ts";
import type { CliContext } from "./context.ts";
import { makeProgress } from "./progress.ts";

export interface TestOptions {
  readonly pattern: CpuPattern | "all";
  readonly seed: string;
  readonly passes: string;
  readonly by?: "cpu" | "dma" | "all";
  readonly dmaFrom?: string;
  readonly allocator?: AllocatorKind;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const sys = new SystemFiles();

/** `cmb test` */
export async function runTest(
  context: CliContext,
  wanted: string,
  size: string | undefined,
  options: TestOptions,
): Promise<void> {
  const request = {
    limitBytes: size === undefined ? undefined : parseSize(size, "size"),
    seed: parseSeed(options.seed, "--seed"),
    passes: parsePasses(options.passes),
  };
  if (request.limitBytes === 0n) throw usageError("Cannot test 0 bytes of p2pmem");
  if (options.by === "cpu" && options.dmaFrom !== undefined)
    throw usageError("--dma-from needs --by dma or --by all");
  const provider = requireProvider(sys, wanted);
  const signals = catchSignals();
  const memory = takeFreeMemory(sys, native, provider, request.limitBytes, options.allocator);
  try {
    checkTaken(memory, provider, request.limitBytes);
    const report = await testTaken(context, provider, memory, { ...options, ...request }, signals);
    present(context, report, options);
    judge(report);
  } catch (error) {
    throw signals.translate(error);
  } finally {
    for (const piece of memory) piece.close();
    signals.release();
  }
}

type Request = Omit<TestOptions, "seed" | "passes"> & { readonly seed: bigint; readonly passes: number };

async function testTaken(
  context: CliContext,
  provider: Provider,
  memory: readonly StagingBuffer[],
  options: Request,
  signals: CaughtSignals,
): Promise<TestReport> {
  const client = chooseClient(provider, memory, options);
  const progress = makeProgress(context, !options.quiet);
  try {
    const patterns = options.pattern === "all" ? CPU_PATTERNS : [options.pattern];
    const plan: MemoryTestPlan = {
      patterns: options.by === "dma" ? [] : patterns,
      client: typeof client === "object" ? client : undefined,
      ...{ seed: options.seed, passes: options.passes },
    };
    const pieces = piecesOf(memory);
    progress.start(bytesToMove(pieces, plan));
    const result = await testMemory(native, pieces, plan, provider, {
      abort: signals.abort,
      onBytes: (bytes) => progress.update(bytes),
    });
    return {
      ...{ provider, plan, result, places: memory.map(placesOf) },
      client: typeof client === "object" ? client.endpoint : undefined,
      noDma: typeof client === "string" ? client : undefined,
    };
  } finally {
    progress.stop();
    if (typeof client === "object") client.close();
  }
}

/** @returns the drive, or why there is no DMA in this test; undefined when nobody asked for it. */
function chooseClient(
  provider: Provider,
  memory: readonly StagingBuffer[],
  { by, dmaFrom }: Request,
): FoundClient | string | undefined {
  const slot = memory[0]?.slots[0];
  if (by === "cpu" || !slot) return undefined;
  if (dmaFrom !== undefined) return openClient(sys, native, provider, slot, dmaFrom);
  const found = findClient(sys, native, provider, slot);
  if (typeof found === "object" || by === undefined) return found;
  throw noPeerToPeer("P2P_REFUSED", `Cannot test "${provider.bdf}" by DMA: ${found}`, {
    hint: "name a drive with --dma-from, or test by CPU alone: --by cpu",
  });
}

/** Physical addresses where they are known, so that an address fault between pieces shows, too. */
function piecesOf(memory: readonly StagingBuffer[]): TestPiece[] {
  let next = 0n;
  return memory.map((piece) => {
    const [place, ...more] = placesOf(piece) ?? [];
    const base = place && more.length === 0 ? place.start : next;
    next += BigInt(piece.mapping.lengthBytes);
    return { mapping: piece.mapping, base };
  });
}

function checkTaken(
  memory: readonly StagingBuffer[],
  provider: Provider,
  limitBytes: bigint | undefined,
): void {
  const taken = memory.reduce((sum, { mapping }) => sum + BigInt(mapping.lengthBytes), 0n);
  const hint = `p2pdma cmb show ${provider.bdf} tells who holds the rest`;
  if (taken === 0n) {
    throw noPeerToPeer("NO_P2PMEM", `Cannot test "${provider.bdf}" (${provider.name}): no p2pmem is free`, {
      hint,
    });
  }
  if (limitBytes !== undefined && taken < limitBytes) {
    const found = `asked ${formatBytes(limitBytes)}, free ${formatBytes(taken)}`;
    throw noPeerToPeer("NO_P2PMEM", `Cannot test "${provider.bdf}" (${provider.name}): ${found}`, { hint });
  }
}

function present(context: CliContext, report: TestReport, options: TestOptions): void {
  if (options.json) context.out(`${JSON.stringify(testDocument(report), null, 2)}\n`);
  else if (!options.quiet) context.out(renderTest(report));
}

/** Bad memory counts even when the test was interrupted. */
function judge({ result, provider }: TestReport): void {
  if (result.badWords > 0n) throw badMemory(result, provider);
  if (!result.isComplete) throw interrupted();
}

function badMemory(result: MemoryTestResult, { bdf, name }: Provider): P2pdmaError {
  const count = `${result.badWords} words in ${result.badRanges} ranges did not hold their data`;
  const hint = result.isAllOnes
    ? "all of them read as all ones, as from a device that is gone or reset: is it still there?"
    : "do not copy through this memory";
  return new P2pdmaError(
    "DATA_DIFFER",
    ExitCode.dataDiffer,
    `Memory of "${bdf}" (${name}) is bad: ${count}`,
    {
      hint,
    },
  );
}

function parsePasses(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw usageError(`--passes: "${text}" is no number from 1 on`);
  return Number(text);
}
