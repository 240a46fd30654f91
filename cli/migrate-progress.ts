// SPDX-License-Identifier: MIT
import { MultiBar, Presets, type SingleBar } from "cli-progress";
import type { ProgressEvent } from "../core/migrate/child.ts";
import type { JobFile, PairRecord } from "../core/migrate/job-file.ts";
import type { RunListener } from "../core/migrate/run.ts";
import { formatBytes } from "../core/units.ts";
import type { CliContext } from "./context.ts";
import type { OutputOptions } from "./copy-options.ts";

/** Tells on stderr how a job gets on. */
export interface MigrateReporter extends RunListener {
  start(job: JobFile): void;
  /** Harmless when repeated. */
  stop(exitCode: number): void;
}

export function makeMigrateReporter(context: CliContext, options: OutputOptions): MigrateReporter {
  if (options.progress === "json") return jsonReporter(context);
  const isShown = !options.quiet && options.progress !== "none";
  return isShown && context.stderrIsTerminal ? barReporter(context) : lineReporter(context, isShown);
}

/** The copies' own events with the pair's name, and the pairs' states, one object a line. */
function jsonReporter(context: CliContext): MigrateReporter {
  let isOver = false;
  const emit = (event: string, fields: object) => {
    const line = { schema: "p2pdma.progress/1", event, at: new Date().toISOString(), ...fields };
    context.err(`${JSON.stringify(line)}\n`);
  };
  return {
    start: ({ plan, pairs }) => emit("job-start", { plan, pairs: pairs.length, pid: process.pid }),
    pair: ({ name, state, exitCode, signal, problem }) =>
      emit("pair", { pair: name, state, exitCode, signal, message: problem?.message ?? null }),
    event: ({ name }, event) => context.err(`${JSON.stringify({ ...event, pair: name })}\n`),
    note: (message) => emit("warning", { message }),
    stop: (exitCode) => {
      if (!isOver) emit("job-end", { exitCode });
      isOver = true;
    },
  };
}

function lineReporter(context: CliContext, isShown: boolean): MigrateReporter {
  return {
    start: () => {},
    pair: (record) => isShown && context.err(`p2pdma: ${describe(record)}\n`),
    event: () => {},
    note: (text) => context.err(`p2pdma: ${text}\n`),
    stop: () => {},
  };
}

function describe({ name, state, lengthBytes, attempts, problem }: PairRecord): string {
  const size = lengthBytes === null ? "" : `, ${formatBytes(BigInt(lengthBytes))}`;
  if (state === "running") return `${name}: started${size}${attempts > 1 ? `, attempt ${attempts}` : ""}`;
  return `${name}: ${state}${problem ? `: ${problem.message}` : ""}`;
}

/** A bar for each running pair, and one for all. */
function barReporter(context: CliContext): MigrateReporter {
  const bars = new MultiBar(
    {
      stream: process.stderr,
      format: "{name} {bar} {percentage}% · {done} of {all} · {rate}/s{phase}",
      ...{ hideCursor: true, clearOnComplete: true, barsize: 24, forceRedraw: true },
    },
    Presets.shades_classic,
  );
  const running = new Map<string, SingleBar>();
  let all: { bar: SingleBar; job: JobFile; width: number } | undefined;
  const padded = (name: string) => name.slice(0, 24).padEnd(all?.width ?? 0);
  const total = () => {
    if (!all) return;
    const sum = all.job.pairs.reduce((bytes, { bytesDone }) => bytes + BigInt(bytesDone), 0n);
    all.bar.update(Number(sum), { done: formatBytes(sum) });
  };
  return {
    start: (job) => {
      const bytes = job.pairs.reduce((sum, { lengthBytes }) => sum + BigInt(lengthBytes ?? 0), 0n);
      const width = Math.min(24, Math.max(5, ...job.pairs.map(({ name }) => name.length)));
      const words = {
        name: "total".padEnd(width),
        done: "0 B",
        all: formatBytes(bytes),
        rate: "-",
        phase: "",
      };
      all = { bar: bars.create(Math.max(1, Number(bytes)), 0, words), job, width };
    },
    pair: (record) => {
      const bar = running.get(record.name);
      if (bar) bars.remove(bar);
      running.delete(record.name);
      if (record.state === "running") {
        const bytes = BigInt(record.lengthBytes ?? 0);
        const words = {
          name: padded(record.name),
          done: "0 B",
          all: formatBytes(bytes),
          rate: "-",
          phase: "",
        };
        running.set(record.name, bars.create(Math.max(1, Number(bytes)), 0, words));
      } else bars.log(`p2pdma: ${describe(record)}\n`);
      total();
    },
    event: ({ name }, event) => {
      if (event.event === "progress") running.get(name)?.update(...progressOf(event));
      total();
    },
    note: (text) => {
      bars.log(`p2pdma: ${text}\n`);
      if (!all) context.err(`p2pdma: ${text}\n`);
    },
    stop: () => bars.stop(),
  };
}

function progressOf({ phase, bytesDone, bytesPerSecond }: ProgressEvent): [number, object] {
  const done = Number(bytesDone);
  return [
    done,
    {
      done: formatBytes(done),
      rate: formatBytes(Number(bytesPerSecond ?? 0)),
      phase: phase === "copy" ? "" : ` (${phase})`,
    },
  ];
}
