// SPDX-License-Identifier: MIT
import type { CopyProgress } from "../core/copy/request.ts";
import type { Route } from "../core/copy/route.ts";
import type { CliContext } from "./context.ts";
import type { OutputOptions } from "./copy-options.ts";
import { makeProgress } from "./progress.ts";

export interface Start {
  readonly source: string;
  readonly destination: string;
  readonly lengthBytes: bigint;
  readonly journal: string | undefined;
}

/** Tells on stderr how a copy gets on: for people, or for programs. */
export interface CopyReporter {
  start(start: Start): void;
  route(route: Route): void;
  progress(progress: CopyProgress): void;
  checkpoint(journal: string, durableBytes: bigint): void;
  warn(text: string): void;
  /** The last word; harmless when repeated. */
  end(exitCode: number, message: string): void;
}

/** @param tellsRoute says so when memory in RAM had to be taken */
export function makeReporter(context: CliContext, options: OutputOptions, tellsRoute = true): CopyReporter {
  if (options.progress === "json") return jsonReporter(context);
  const reporter = textReporter(context, !options.quiet && options.progress !== "none");
  return tellsRoute ? reporter : { ...reporter, route: () => {} };
}

const PHASE_WORDS = {
  copy: "",
  zero: "making holes",
  rescue: "reading around bad blocks",
  verify: "verifying",
};

function textReporter(context: CliContext, wantsBar: boolean): CopyReporter {
  const bar = makeProgress(context, wantsBar);
  let phase: CopyProgress["phase"] | undefined;
  return {
    start: () => {},
    route: (route) => announce(context, route),
    progress: (state) => {
      if (phase !== state.phase) {
        phase = state.phase;
        bar.start(state.bytesTotal, state.bytesDone, PHASE_WORDS[phase]);
      }
      bar.update(state.bytesDone);
    },
    checkpoint: () => {},
    warn: (text) => bar.note(`p2pdma: ${text}`),
    end: () => bar.stop(),
  };
}

/** What was rejected matters when the copy ends up in RAM without having been told to. */
function announce(context: CliContext, route: Route): void {
  if (route.via === "p2p" || route.rejected.length === 0) return;
  context.err("p2pdma: copying through system RAM, because peer-to-peer is not possible:\n");
  for (const reason of new Set(route.rejected)) context.err(`  ${reason}\n`);
}

/** One object a line: schemas/progress.schema.json. Byte counts are decimal strings. */
function jsonReporter(context: CliContext): CopyReporter {
  let ended = false;
  let phaseStart = { phase: "", at: 0, bytes: 0n };
  const emit = (event: string, fields: object) => {
    const line = { schema: "p2pdma.progress/1", event, at: new Date().toISOString(), ...fields };
    context.err(`${JSON.stringify(line)}\n`);
  };
  return {
    start: ({ source, destination, lengthBytes, journal }) =>
      emit("start", {
        ...{ source, destination, lengthBytes: lengthBytes.toString() },
        ...{ journal: journal ?? null, pid: process.pid },
      }),
    route: ({ via, reason, rejected, depth, staging }) =>
      emit("route", {
        ...{ via, reason, rejected, depth },
        provider: staging.provider?.bdf ?? null,
        stagingBytes: staging.mapping.lengthBytes.toString(),
      }),
    progress: ({ phase, bytesDone, bytesTotal, depth }) => {
      const at = performance.now();
      if (phaseStart.phase !== phase) phaseStart = { phase, at, bytes: bytesDone };
      const seconds = Math.max(0.001, (at - phaseStart.at) / 1000);
      const bytesPerSecond = Math.round(Number(bytesDone - phaseStart.bytes) / seconds);
      emit("progress", {
        ...{ phase, bytesDone: bytesDone.toString(), bytesTotal: bytesTotal.toString() },
        ...{ bytesPerSecond, depth },
      });
    },
    checkpoint: (journal, durableBytes) =>
      emit("checkpoint", { journal, durableBytes: durableBytes.toString() }),
    warn: (message) => emit("warning", { message }),
    end: (exitCode, message) => {
      if (!ended) emit("end", { exitCode, message });
      ended = true;
    },
  };
}
