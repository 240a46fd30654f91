// SPDX-License-Identifier: MIT
import { type CopyReporter, eventReporter } from "../core/copy/reporter.ts";
import type { CopyProgress } from "../core/copy/request.ts";
import type { Route } from "../core/copy/route.ts";
import type { CliContext } from "./context.ts";
import type { OutputOptions } from "./copy-options.ts";
import { makeProgress } from "./progress.ts";

export type { CopyReporter };

/** @param tellsRoute says so when memory in RAM had to be taken */
export function makeReporter(context: CliContext, options: OutputOptions, tellsRoute = true): CopyReporter {
  if (options.progress === "json") {
    return eventReporter((event) => context.err(`${JSON.stringify(event)}\n`));
  }
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
