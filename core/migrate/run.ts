// SPDX-License-Identifier: MIT
import { ExitCode } from "../exit-codes.ts";
import { identityOf } from "../journal/identity.ts";
import { readAvailable } from "../p2pmem/providers.ts";
import { type Bdf, parseBdf } from "../pci/bdf.ts";
import type { SystemView } from "../sysfs.ts";
import type { ProgressEvent } from "./child.ts";
import { runHook } from "./hooks.ts";
import { forgetProgress, type JobStore, type LiveProgress, writeProgress } from "./job.ts";
import type { PairRecord } from "./job-file.ts";
import { exitCodeOf, exitCodeOfPairs, isFinished } from "./outcome.ts";
import { PairRun } from "./pair-run.ts";
import type { Hooks, Limits } from "./plan.ts";
import { type Capacity, type Decision, type Demand, decide, type Wait } from "./schedule.ts";
import type { SurveyedPair } from "./survey.ts";

/** What a run tells as it goes. */
export interface RunListener {
  /** The pair's state has changed. */
  pair(record: PairRecord): void;
  /** A pair's copy said so. */
  event(record: PairRecord, event: ProgressEvent): void;
  note(text: string): void;
}

export interface RunParts {
  readonly sys: SystemView;
  /** Our own program, up to its subcommand. */
  readonly command: readonly string[];
  readonly store: JobStore;
  readonly hooks: Hooks;
  readonly limits: Limits;
  /** What is left to copy. */
  readonly pairs: readonly SurveyedPair[];
  readonly listener: RunListener;
}

const POLL_MS = 1000;

/** One run of a job: starts what fits, waits for what runs, and writes down how each pair ended. */
export class JobRun {
  readonly #running = new Map<string, { run: PairRun; demand: Demand; end: Promise<void> }>();
  #waiting: SurveyedPair[];
  /** Could not get the memory that was reserved for it: goes on once no other copy of ours holds any of it. */
  readonly #alone = new Set<string>();
  #stoppedBy: NodeJS.Signals | undefined;
  #wake: () => void = () => {};
  #lastNote = "";

  constructor(private readonly parts: RunParts) {
    this.#waiting = [...parts.pairs];
  }

  /** The first time lets copies drain and write their journals, the second time aborts them; nothing new is started. */
  interrupt(signal: NodeJS.Signals): void {
    this.#stoppedBy ??= signal;
    for (const { run } of this.#running.values()) run.interrupt(signal);
    this.#wake();
  }

  async run(): Promise<ExitCode> {
    const { store } = this.parts;
    const { job } = store;
    forgetProgress(store.folder);
    for (const { pair, src, dst, route, range } of this.parts.pairs) {
      Object.assign(store.record(pair.name), {
        ...{ source: identityOf(this.parts.sys, src), destination: identityOf(this.parts.sys, dst) },
        lengthBytes: range.lengthBytes.toString(),
        route: {
          ...{ via: route.via, provider: route.provider?.bdf ?? null, depth: route.depth },
          ...{ providerName: route.provider?.name ?? null, side: route.provider?.side ?? null },
          ...{ stagingBytes: route.stagingBytes.toString(), uplinks: route.uplinks },
          reason: route.reason ?? null,
        },
      });
    }
    await store.save();
    const ticker = setInterval(() => this.#showProgress(), POLL_MS);
    try {
      await this.#withJobHooks(() => this.#loopToTheEnd());
    } finally {
      clearInterval(ticker);
      forgetProgress(store.folder);
      for (const provider of job.providers) {
        const bdf = parseBdf(provider.bdf);
        const free = bdf && readAvailable(this.parts.sys, bdf);
        provider.availableAtEndBytes = free?.toString() ?? null;
      }
      job.endedAt = new Date().toISOString();
      job.exitCode = this.#exitCode();
      await store.save();
    }
    return this.#exitCode();
  }

  #exitCode(unlessStopped = exitCodeOf): ExitCode {
    if (this.#stoppedBy === "SIGINT") return ExitCode.interrupted;
    return this.#stoppedBy ? ExitCode.terminated : unlessStopped(this.parts.store.job);
  }

  async #withJobHooks(work: () => Promise<void>): Promise<void> {
    const { store, hooks, listener } = this.parts;
    const { job } = store;
    const environment = { P2PDMA_PLAN: job.plan };
    const afterwards = () => ({ ...environment, P2PDMA_EXIT_CODE: String(this.#exitCode(exitCodeOfPairs)) });
    const fail = (message: string) => {
      job.problem ??= { message, hint: null };
      listener.note(message);
    };
    job.owedPost = hooks.post ? { command: [...hooks.post], timeoutMs: hooks.timeoutMs } : null;
    await store.save();
    if (hooks.pre) {
      const problem = await runHook("job's pre", hooks.pre, environment, hooks.timeoutMs);
      if (problem) fail(problem);
    }
    try {
      if (!job.problem) await work();
    } finally {
      const problem = hooks.post && (await runHook("job's post", hooks.post, afterwards(), hooks.timeoutMs));
      if (problem) fail(problem);
      else job.owedPost = null;
      if (hooks.onFailure && (job.problem || exitCodeOf(job) === ExitCode.stopped) && !this.#stoppedBy) {
        const late = await runHook("job's onFailure", hooks.onFailure, afterwards(), hooks.timeoutMs);
        if (late) fail(late);
      }
    }
  }

  /** Whatever happens to us, no copy is left behind. */
  async #loopToTheEnd(): Promise<void> {
    try {
      await this.#loop();
    } catch (error) {
      this.interrupt("SIGTERM");
      await Promise.allSettled([...this.#running.values()].map(({ end }) => end));
      throw error;
    }
  }

  async #loop(): Promise<void> {
    for (;;) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#skipHopeless();
      const decision = this.#stoppedBy ? undefined : this.#decide();
      for (const { name } of decision?.start ?? []) this.#start(name);
      if (this.#running.size === 0 && (this.#stoppedBy || this.#waiting.length === 0)) return;
      if (decision) this.#explainWaiting(decision);
      const ends = [...this.#running.values()].map(({ end }) => end);
      const timer = setTimeout(this.#wake, POLL_MS);
      await Promise.race([...ends, woken]);
      clearTimeout(timer);
    }
  }

  #decide(): Decision {
    const capacity = this.#capacity();
    const finished = new Set(this.parts.store.job.pairs.filter(isFinished).map(({ name }) => name));
    const running = [...this.#running.values()].map(({ demand }) => demand);
    const waiting = this.#waiting.map(({ demand }) => {
      const { memory } = demand;
      if (!memory || !this.#alone.has(demand.name)) return demand;
      return {
        ...demand,
        memory: { ...memory, bytes: capacity.memory.get(memory.provider) ?? memory.bytes },
      };
    });
    return decide(waiting, running, finished, capacity);
  }

  /** Memory that others hold is not ours to give; what a copy of ours has mapped is gone from `available` already. */
  #capacity(): Capacity {
    const { sys, limits, pairs } = this.parts;
    const providers = new Set(pairs.flatMap(({ route }) => route.provider?.bdf ?? []));
    const memory = [...providers].flatMap((bdf: Bdf): [string, bigint][] => {
      const free = readAvailable(sys, bdf);
      if (free === undefined) return [];
      const ours = [...this.#running.values()]
        .filter(({ run, demand }) => run.holdsMemory && demand.memory?.provider === bdf)
        .reduce((sum, { demand }) => sum + (demand.memory?.bytes ?? 0n), 0n);
      const most = limits.perProviderBytes;
      return [[bdf, most !== undefined && most < free + ours ? most : free + ours]];
    });
    return { ...limits, memory: new Map(memory) };
  }

  #start(name: string): void {
    const surveyed = this.#waiting.find(({ pair }) => pair.name === name);
    if (!surveyed) throw new RangeError(`"${name}" does not wait`);
    this.#waiting = this.#waiting.filter((other) => other !== surveyed);
    const run = new PairRun(this.parts, surveyed);
    const end = run.run().then(() => this.#settle(surveyed, run));
    this.#running.set(name, { run, demand: surveyed.demand, end });
  }

  /** A copy that found its memory taken, by a stranger or by pieces, waits once more, and then for all of it. */
  #settle(surveyed: SurveyedPair, run: PairRun): void {
    const { name } = surveyed.pair;
    const record = this.parts.store.record(name);
    this.#running.delete(name);
    if (!run.foundNoMemory || this.#alone.has(name) || this.#stoppedBy) return;
    this.#alone.add(name);
    this.#waiting.unshift(surveyed);
    Object.assign(record, { state: "waiting", problem: null });
    this.parts.listener.pair(record);
  }

  #skipHopeless(): void {
    const { store, listener } = this.parts;
    for (let changed = true; changed; ) {
      const waiting = new Set([...this.#waiting.map(({ pair }) => pair.name), ...this.#running.keys()]);
      const hopeless = this.#waiting.filter(({ pair }) =>
        pair.after.some((name) => !waiting.has(name) && !isFinished(store.record(name))),
      );
      for (const { pair } of hopeless) {
        const record = store.record(pair.name);
        const causes = pair.after.filter((name) => !isFinished(store.record(name)));
        const message = `not begun, since ${causes.join(", ")} did not end well`;
        Object.assign(record, { state: "skipped", problem: { message, hint: null } });
        listener.pair(record);
      }
      this.#waiting = this.#waiting.filter((one) => !hopeless.includes(one));
      changed = hopeless.length > 0;
    }
  }

  /** Only said when nothing else goes on: then it is others who keep us waiting. */
  #explainWaiting({ waits }: Decision): void {
    const [first] = [...waits.values()].filter(
      (wait): wait is Wait & { for: "memory" } => wait.for === "memory",
    );
    const note =
      first && this.#running.size === 0 ? `waiting for p2pmem of ${first.name}: others hold it` : "";
    if (note && note !== this.#lastNote) this.parts.listener.note(note);
    this.#lastNote = note;
  }

  #showProgress(): void {
    const live: Record<string, LiveProgress> = {};
    for (const [name, { run }] of this.#running) live[name] = run.progress;
    writeProgress(this.parts.store.folder, live);
  }
}
