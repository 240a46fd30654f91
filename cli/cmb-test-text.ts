// SPDX-License-Identifier: MIT
import type { MemoryTestResult, TestStep } from "../core/p2pmem/memtest.ts";
import type { TestReport } from "../core/p2pmem/memtest-json.ts";
import type { BadMemory } from "../core/p2pmem/memtest-log.ts";
import type { PlacedRange } from "../core/p2pmem/memtest-memory.ts";
import { formatBytes } from "../core/units.ts";

/** Bad ranges that are printed; all are in the JSON. */
const SHOWN_RANGES = 20;

/** The report for people. */
export function renderTest(report: TestReport): string {
  const { provider, result, places, noDma } = report;
  const untested = provider.sizeBytes - result.testedBytes;
  const rest = untested > 0n ? `, ${formatBytes(untested)} not tested: in use or not asked for` : "";
  const lines: [string, string][] = [
    ["memory", `${formatBytes(result.testedBytes)} of ${provider.bdf} (${provider.name})${rest}`],
    ...places.flatMap((ranges) => (ranges ?? []).map((range): [string, string] => ["", placeWords(range)])),
    ...result.steps.map((step): [string, string] => [step.test, stepWords(step, report)]),
    ...dmaLines(report),
    ...(noDma === undefined ? [] : [["dma", `not tested: ${noDma}`] as [string, string]]),
    ["result", verdict(result)],
    ...badLines(result),
  ];
  return lines.map(([label, text]) => `${label.padEnd(13)} ${text}\n`).join("");
}

function placeWords({ start, end, bar, barOffset }: PlacedRange): string {
  return `${hex(start)}-${hex(end - 1n)}, BAR ${bar} from byte ${barOffset} on`;
}

function stepWords({ test, pass, bytes, ms, badWords }: TestStep, { plan, client }: TestReport): string {
  const outcome = badWords === 0n ? "good" : `${badWords} BAD WORDS`;
  const rate = formatBytes(Math.round((Number(bytes) / Math.max(1, ms)) * 1000));
  const which = plan.passes > 1 ? `pass ${pass}: ` : "";
  const by = test === "dma" ? `from ${client?.path} (${client?.device?.client})` : "by CPU";
  return `${which}${outcome}, ${by}, ${(ms / 1000).toFixed(1)} s (CPU ${rate}/s)`;
}

/** What the DMA test did, and what it could not see. */
function dmaLines({ result: { dma } }: TestReport): [string, string][] {
  if (!dma) return [];
  const lines: [string, string][] = [
    ["", `${dma.transfers} transfers, ${formatBytes(dma.bytes)}; what lay between them was checked as well`],
  ];
  if (dma.isUniform) {
    lines.push(["", "the medium holds the same bytes all over: transfers that change places go unnoticed"]);
  }
  if (dma.changed > 0n) {
    lines.push(["", `${dma.changed} transfers repeated: somebody writes to the medium meanwhile`]);
  }
  return lines;
}

function verdict(result: MemoryTestResult): string {
  const bad = result.badWords > 0n;
  const outcome = bad ? `BAD: ${result.badWords} words in ${result.badRanges} ranges` : "good";
  return result.isComplete ? outcome : `${outcome}${bad ? "" : " so far"}, interrupted`;
}

function badLines({ bad, badRanges }: MemoryTestResult): [string, string][] {
  const lines = bad.slice(0, SHOWN_RANGES).map((range): [string, string] => ["bad", badWords(range)]);
  const hidden = badRanges - BigInt(lines.length);
  return hidden > 0n ? [...lines, ["", `and ${hidden} more`]] : lines;
}

function badWords(range: BadMemory): string {
  const { place, offsetBytes, lengthBytes, expected, got, badBits, content } = range;
  const where = place
    ? `${hex(place.address)} (BAR ${place.bar}, byte ${place.barOffset})`
    : `byte ${offsetBytes} of piece ${range.piece + 1}`;
  const words = `${range.badWords} of ${lengthBytes / 8n} words`;
  return `${where}: ${words} (${content}); the first: ${word(got)} instead of ${word(expected)}, wrong bits ${word(badBits)}`;
}

function word(value: bigint): string {
  return `0x${value.toString(16).padStart(16, "0")}`;
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
