// SPDX-License-Identifier: MIT
import { Presets, SingleBar } from "cli-progress";
import { formatBytes } from "../core/units.ts";
import type { CliContext } from "./context.ts";

export interface Progress {
  start(totalBytes: bigint): void;
  update(doneBytes: bigint): void;
  note(text: string): void;
  /** Takes the bar away; harmless when there is none. */
  stop(): void;
}

const SILENT: Progress = { start: () => {}, update: () => {}, note: () => {}, stop: () => {} };

/** A bar with rate and time left on stderr, only where a person looks. */
export function makeProgress(context: CliContext, wanted: boolean): Progress {
  if (!wanted || !context.stderrIsTerminal) return SILENT;
  const bar = new SingleBar(
    {
      stream: process.stderr,
      format: "{bar} {percentage}% · {done} of {all} · {rate}/s · {eta_formatted} left",
      etaBuffer: 50,
      hideCursor: true,
      clearOnComplete: true,
    },
    Presets.shades_classic,
  );
  let started = 0;
  let all = "";
  return {
    start: (totalBytes) => {
      started = performance.now();
      all = formatBytes(totalBytes);
      bar.start(Number(totalBytes), 0, { done: "0 B", all, rate: "0 B" });
    },
    update: (doneBytes) => {
      const seconds = Math.max(0.001, (performance.now() - started) / 1000);
      const rate = formatBytes(Math.round(Number(doneBytes) / seconds));
      bar.update(Number(doneBytes), { done: formatBytes(doneBytes), all, rate });
    },
    note: (text) => {
      bar.stop();
      context.err(`${text}\n`);
    },
    stop: () => bar.stop(),
  };
}
