// SPDX-License-Identifier: MIT
import { Presets, SingleBar } from "cli-progress";
import { formatBytes } from "../core/units.ts";
import type { CliContext } from "./context.ts";

export interface Progress {
  /** Begins anew, with a word for what is done now. */
  start(totalBytes: bigint, doneBytes?: bigint, word?: string): void;
  update(doneBytes: bigint): void;
  /** A line above the bar, which goes on below it. */
  note(text: string): void;
  /** Takes the bar away; harmless when there is none. */
  stop(): void;
}

/** A bar with rate and time left on stderr, only where a person looks; notes are printed in any case. */
export function makeProgress(context: CliContext, wanted: boolean): Progress {
  const note = (text: string) => context.err(`${text}\n`);
  if (!wanted || !context.stderrIsTerminal)
    return { start: () => {}, update: () => {}, note, stop: () => {} };
  const bar = new SingleBar(
    {
      stream: process.stderr,
      format: "{word}{bar} {percentage}% · {done} of {all} · {rate}/s · {eta_formatted} left",
      etaBuffer: 50,
      hideCursor: true,
      clearOnComplete: true,
    },
    Presets.shades_classic,
  );
  let started = 0;
  let startedWith = 0n;
  return {
    start: (totalBytes, doneBytes = 0n, word = "") => {
      bar.stop();
      started = performance.now();
      startedWith = doneBytes;
      const fixed = { word: word && `${word} `, all: formatBytes(totalBytes) };
      bar.start(Number(totalBytes), Number(doneBytes), {
        ...fixed,
        done: formatBytes(doneBytes),
        rate: "0 B",
      });
    },
    update: (doneBytes) => {
      const seconds = Math.max(0.001, (performance.now() - started) / 1000);
      const rate = formatBytes(Math.round(Number(doneBytes - startedWith) / seconds));
      bar.update(Number(doneBytes), { done: formatBytes(doneBytes), rate });
    },
    note: (text) => {
      if (bar.isActive) process.stderr.write("\r\u001b[K");
      note(text);
    },
    stop: () => bar.stop(),
  };
}
