// SPDX-License-Identifier: MIT
import { piecesOf } from "../p2pmem/stripe.ts";
import type { CopyEvent } from "./events.ts";
import type { CopyHooks, CopyProgress } from "./request.ts";
import type { Route } from "./route.ts";

export interface Start {
  readonly source: string;
  readonly destination: string;
  readonly lengthBytes: bigint;
  readonly journal: string | undefined;
}

/** Who is told how a copy gets on. */
export interface CopyReporter {
  start(start: Start): void;
  route(route: Route): void;
  progress(progress: CopyProgress): void;
  checkpoint(journal: string, durableBytes: bigint): void;
  warn(text: string): void;
  /** The last word; harmless when repeated. */
  end(exitCode: number, message: string): void;
}

/** Connects a reporter to a copy. */
export function hooksOf(
  reporter: CopyReporter,
): Required<Pick<CopyHooks, "warn" | "onRoute" | "onProgress" | "onCheckpoint">> {
  return {
    warn: reporter.warn,
    onRoute: (route, { src, dst, range, journalPath }) => {
      const { lengthBytes } = range;
      reporter.start({ source: src.path, destination: dst.path, lengthBytes, journal: journalPath });
      reporter.route(route);
    },
    onProgress: reporter.progress,
    onCheckpoint: reporter.checkpoint,
  };
}

const PROGRESS_EVERY_MS = 50;

/** A reporter that makes events of what it is told. */
export function eventReporter(emit: (event: CopyEvent) => void): CopyReporter {
  let ended = false;
  let lastProgressAt = 0;
  let phaseStart = { phase: "", at: 0, bytes: 0n };
  const base = <Name extends string>(event: Name) => ({
    ...{ schema: "p2pdma.progress/1" as const, event, at: new Date().toISOString() },
  });
  return {
    start: ({ source, destination, lengthBytes, journal }) =>
      emit({
        ...{ ...base("start"), source, destination, lengthBytes: lengthBytes.toString() },
        ...{ journal: journal ?? null, pid: process.pid },
      }),
    route: ({ via, reason, rejected, depth, staging }) =>
      emit({
        ...{ ...base("route"), via, reason, rejected, depth },
        provider: staging.provider?.bdf ?? null,
        stagingBytes: piecesOf(staging)
          .reduce((sum, { mapping }) => sum + BigInt(mapping.lengthBytes), 0n)
          .toString(),
      }),
    progress: ({ phase, bytesDone, bytesTotal, depth }) => {
      const at = performance.now();
      const isFirst = phaseStart.phase !== phase;
      if (!isFirst && bytesDone < bytesTotal && at - lastProgressAt < PROGRESS_EVERY_MS) return;
      lastProgressAt = at;
      if (isFirst) phaseStart = { phase, at, bytes: bytesDone };
      const seconds = Math.max(0.001, (at - phaseStart.at) / 1000);
      const bytesPerSecond = Math.round(Number(bytesDone - phaseStart.bytes) / seconds);
      emit({
        ...{ ...base("progress"), phase, bytesDone: bytesDone.toString() },
        ...{ bytesTotal: bytesTotal.toString(), bytesPerSecond, depth },
      });
    },
    checkpoint: (journal, durableBytes) =>
      emit({ ...base("checkpoint"), journal, durableBytes: durableBytes.toString() }),
    warn: (message) => emit({ ...base("warning"), message }),
    end: (exitCode, message) => {
      if (!ended) emit({ ...base("end"), exitCode, message });
      ended = true;
    },
  };
}
