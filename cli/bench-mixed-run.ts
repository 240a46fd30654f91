// SPDX-License-Identifier: MIT
import { runMixed } from "../core/bench/mixed.ts";
import { mixedDocument } from "../core/bench/mixed-document.ts";
import { parseSweep } from "../core/bench/sweep.ts";
import { usageError } from "../core/errors.ts";
import type { AllocatorKind } from "../core/p2pmem/providers.ts";
import { SystemFiles } from "../core/sysfs.ts";
import { parseSize } from "../core/units.ts";
import { native } from "../ffi/index.ts";
import { renderMixedCsv } from "./bench-mixed-csv.ts";
import { renderMixedHtml } from "./bench-mixed-html.ts";
import { renderMixed } from "./bench-mixed-text.ts";
import {
  type BenchOutput,
  checkOutput,
  devicePath,
  parseTiming,
  parseWhole,
  splitList,
  type TimingOptions,
} from "./bench-options.ts";
import { hasUnicode, show, withHooks } from "./bench-run.ts";
import type { CliContext } from "./context.ts";

export interface MixedOptions extends BenchOutput, TimingOptions {
  readonly chunk: string;
  readonly depth: string;
  readonly share: string;
  readonly provider?: string;
  readonly allocator?: AllocatorKind;
}

/** `bench mixed` */
export async function runMixedBench(
  context: CliContext,
  devices: readonly string[],
  options: MixedOptions,
): Promise<void> {
  checkOutput(options);
  const request = {
    readers: devices.map((name) => devicePath(name)),
    chunkBytes: parseChunk(options.chunk),
    depth: parseWhole(options.depth, "--depth"),
    shares: parseSweep(options.share, "--share"),
    ...{ providers: splitList(options.provider), allocator: options.allocator },
    ...parseTiming(options),
  };
  const env = { sys: new SystemFiles(), native };
  const document = await withHooks(context, options, async (hooks) =>
    mixedDocument(await runMixed(env, request, hooks)),
  );
  show(context, options, {
    ...{ json: document, csv: () => renderMixedCsv(document), html: () => renderMixedHtml(document) },
    text: () => renderMixed(document, hasUnicode()),
  });
}

function parseChunk(text: string): number {
  const bytes = parseSize(text, "--chunk");
  if (bytes > 1n << 30n) throw usageError(`--chunk ${text} is more than a request can be`);
  return Number(bytes);
}
