// SPDX-License-Identifier: MIT
import type { Endpoint } from "../copy/endpoint.ts";
import type { MemoryTestPlan, MemoryTestResult } from "./memtest.ts";
import type { BadMemory } from "./memtest-log.ts";
import type { PlacedRange } from "./memtest-memory.ts";
import type { Provider } from "./providers.ts";

/** A memory test that has ended, with what it was about. */
export interface TestReport {
  readonly provider: Provider;
  readonly plan: MemoryTestPlan;
  readonly result: MemoryTestResult;
  /** Of each piece; undefined where the kernel hides it. */
  readonly places: readonly (readonly PlacedRange[] | undefined)[];
  readonly client: Endpoint | undefined;
  /** Why there was no DMA although nobody had forbidden it. */
  readonly noDma: string | undefined;
}

/** The document of `cmb test --json`. Counts that can pass 2^53 are strings; unknown is null. */
export function testDocument({ provider, plan, result, places, client, noDma }: TestReport) {
  return {
    schema: "p2pdma.cmb-test/1",
    provider: provider.bdf,
    providerName: provider.name,
    sizeBytes: String(provider.sizeBytes),
    testedBytes: String(result.testedBytes),
    isComplete: result.isComplete,
    isGood: result.badWords === 0n,
    pieces: places.map(
      (ranges) =>
        ranges?.map(({ start, end, bar, barOffset }) => ({
          ...{ start: hex(start), end: hex(end), bar, barOffsetBytes: String(barOffset) },
        })) ?? null,
    ),
    patterns: plan.patterns,
    seed: String(plan.seed),
    passes: plan.passes,
    steps: result.steps.map(({ test, pass, bytes, ms, badWords: count }) => ({
      ...{ test, pass, bytes: String(bytes), ms, badWords: String(count) },
    })),
    dma: client && result.dma ? dmaDocument(client, result.dma) : null,
    noDmaReason: noDma ?? null,
    badWords: String(result.badWords),
    badRanges: String(result.badRanges),
    isAllOnes: result.isAllOnes,
    bad: result.bad.map(badDocument),
  };
}

function dmaDocument(client: Endpoint, dma: NonNullable<MemoryTestResult["dma"]>) {
  return {
    path: client.path,
    pciAddress: client.device?.client ?? null,
    transfers: String(dma.transfers),
    bytes: String(dma.bytes),
    mediumIsUniform: dma.isUniform,
    repeatedTransfers: String(dma.changed),
  };
}

function badDocument(bad: BadMemory) {
  return {
    test: bad.test,
    content: bad.content,
    pass: bad.pass,
    piece: bad.piece,
    offsetBytes: String(bad.offsetBytes),
    lengthBytes: String(bad.lengthBytes),
    badWords: String(bad.badWords),
    expected: word(bad.expected),
    got: word(bad.got),
    badBits: word(bad.badBits),
    address: bad.place ? hex(bad.place.address) : null,
    bar: bad.place?.bar ?? null,
    barOffsetBytes: bad.place ? String(bad.place.barOffset) : null,
  };
}

function word(value: bigint): string {
  return `0x${value.toString(16).padStart(16, "0")}`;
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
