// SPDX-License-Identifier: MIT
import type { Mapping, MemoryPattern, MemoryRange, Native } from "../../ffi/index.ts";
import { P2pdmaError } from "../errors.ts";
import { type DmaClient, type DmaOutcome, testByDma } from "./memtest-dma.ts";
import { type BadMemory, StepProgress, TestLog, type TestPiece, type TestWatch } from "./memtest-log.ts";
import type { Provider } from "./providers.ts";

/** What the CPU writes and expects back. */
export const CPU_PATTERNS = ["walking-ones", "address", "random"] as const;
export type CpuPattern = (typeof CPU_PATTERNS)[number];

export interface MemoryTestPlan {
  /** By CPU; empty for none. */
  readonly patterns: readonly CpuPattern[];
  /** By DMA; undefined for none. */
  readonly client: DmaClient | undefined;
  readonly seed: bigint;
  readonly passes: number;
}

/** One pattern or one DMA round over all of the memory. */
export interface TestStep {
  readonly test: string;
  readonly pass: number;
  /** Moved by reads and writes together. */
  readonly bytes: bigint;
  readonly ms: number;
  readonly badWords: bigint;
}

export interface MemoryTestResult {
  readonly testedBytes: bigint;
  readonly steps: readonly TestStep[];
  /** At most 256; see `badRanges`. */
  readonly bad: readonly BadMemory[];
  readonly badRanges: bigint;
  readonly badWords: bigint;
  /** Every bad word was all ones: more likely a device that is gone than bad memory. */
  readonly isAllOnes: boolean;
  readonly dma: DmaOutcome | undefined;
  /** False when it was interrupted. */
  readonly isComplete: boolean;
}

/** The bytes that a test reads and writes, for a progress bar. */
export function bytesToMove(pieces: readonly TestPiece[], plan: MemoryTestPlan): bigint {
  const rounds = plan.patterns.length * 2 + (plan.client ? 2 : 0);
  return totalOf(pieces) * 2n * BigInt(rounds * plan.passes);
}

/**
 * Tests memory: each pattern and its complement is written to all pieces by CPU, and all is read back; then,
 * with a client, by DMA. What is in the memory is lost. Bad memory is a result, not an error.
 * @throws SyscallError or P2pdmaError when the test itself can't go on.
 */
export async function testMemory(
  native: Native,
  pieces: readonly TestPiece[],
  plan: MemoryTestPlan,
  provider: Provider | undefined,
  watch: TestWatch = {},
): Promise<MemoryTestResult> {
  const log = new TestLog(native, pieces, provider);
  const steps: TestStep[] = [];
  const progress = new StepProgress(watch);
  const state: { dma?: DmaOutcome } = {};
  const run = async (test: string, pass: number, action: () => Promise<void>) => {
    watch.onStep?.(test, pass);
    const [started, before, badBefore] = [performance.now(), progress.bytes, log.badWords];
    try {
      await action();
    } finally {
      const ms = Math.round(performance.now() - started);
      steps.push({ test, pass, bytes: progress.bytes - before, ms, badWords: log.badWords - badBefore });
    }
  };
  const isComplete = await untilInterrupted(async () => {
    for (let pass = 1; pass <= plan.passes; pass++) {
      for (const name of plan.patterns) {
        await run(name, pass, () => testPattern(native, pieces, name, pass, plan.seed, log, progress));
      }
      const { client } = plan;
      if (!client) continue;
      await run("dma", pass, async () => {
        const seed = plan.seed + BigInt(pass);
        const outcome = await testByDma(native, pieces, client, seed, pass, log, progress);
        state.dma = addOutcome(state.dma, outcome);
      });
    }
  });
  const { bad, badRanges, badWords, allOnes } = log;
  return {
    ...{ testedBytes: totalOf(pieces), steps, bad, badRanges, badWords, isComplete },
    isAllOnes: badWords > 0n && allOnes === badWords,
    dma: state.dma,
  };
}

async function testPattern(
  native: Native,
  pieces: readonly TestPiece[],
  test: CpuPattern,
  pass: number,
  seed: bigint,
  log: TestLog,
  progress: StepProgress,
): Promise<void> {
  for (const invert of [false, true]) {
    const pattern = (base: bigint): MemoryPattern => ({ ...patternOf(test, pass, seed), invert, base });
    for (const { mapping, base } of pieces) {
      await progress.follow(native.startFill(wholeOf(mapping), pattern(base)));
    }
    for (const [piece, { mapping, base }] of pieces.entries()) {
      const verification = native.startVerify(wholeOf(mapping), pattern(base));
      try {
        await progress.follow(verification);
      } finally {
        const content = `${test}${invert ? ", complement" : ""}, written by CPU`;
        log.add({ test, content, pass, piece }, 0n, verification.findings());
      }
    }
  }
}

function patternOf(test: CpuPattern, pass: number, seed: bigint): MemoryPattern {
  const turn = BigInt(pass - 1);
  if (test === "walking-ones") return { kind: "walking", seed: turn };
  return test === "address" ? { kind: "address", seed: 0n } : { kind: "random", seed: seed + turn };
}

function wholeOf(mapping: Mapping): MemoryRange {
  return { mapping, offsetBytes: 0, lengthBytes: mapping.lengthBytes };
}

function totalOf(pieces: readonly TestPiece[]): bigint {
  return pieces.reduce((sum, { mapping }) => sum + BigInt(mapping.lengthBytes), 0n);
}

function addOutcome(sum: DmaOutcome | undefined, one: DmaOutcome): DmaOutcome {
  if (!sum) return one;
  return {
    transfers: sum.transfers + one.transfers,
    bytes: sum.bytes + one.bytes,
    isUniform: sum.isUniform && one.isUniform,
    changed: sum.changed + one.changed,
  };
}

/** @returns false when the action was interrupted. */
async function untilInterrupted(action: () => Promise<void>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    if (error instanceof P2pdmaError && error.code === "INTERRUPTED") return false;
    throw error;
  }
}
