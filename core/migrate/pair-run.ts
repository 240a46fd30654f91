// SPDX-License-Identifier: MIT
import { ExitCode } from "../exit-codes.ts";
import { ownerOf } from "../journal/owner.ts";
import { type ChildEnd, type CopyProcess, type ProgressEvent, startCopy } from "./child.ts";
import { type CopyOrder, copyArguments, resumeArguments } from "./command-line.ts";
import { runHook } from "./hooks.ts";
import { type LiveProgress, unfinishedJournal } from "./job.ts";
import type { PairRecord } from "./job-file.ts";
import { problemOf, stateAfter } from "./outcome.ts";
import type { RunParts } from "./run.ts";
import type { SurveyedPair } from "./survey.ts";

const NOT_STARTED: ChildEnd = {
  ...{ exitCode: ExitCode.interrupted, signal: null },
  lastWords: ["p2pdma: interrupted before the copy began"],
};

/** One attempt at one pair: its hooks around a process that copies. */
export class PairRun {
  /** The copy has its staging memory. */
  holdsMemory = false;
  /** It ended without ever having got it. */
  foundNoMemory = false;
  #progress: LiveProgress = { phase: "start", bytesDone: "0", bytesPerSecond: "0" };
  #process: CopyProcess | undefined;
  #isStopped = false;
  readonly #record: PairRecord;

  constructor(
    private readonly parts: RunParts,
    private readonly surveyed: SurveyedPair,
  ) {
    this.#record = parts.store.record(surveyed.pair.name);
  }

  get progress(): LiveProgress {
    return this.#progress;
  }

  interrupt(signal: NodeJS.Signals): void {
    this.#isStopped = true;
    this.#process?.signal(signal);
  }

  async run(): Promise<void> {
    const record = this.#record;
    const { hooks } = this.surveyed.pair;
    const canResume = unfinishedJournal(record, this.#order.journal) !== undefined;
    Object.assign(record, { state: "running", exitCode: null, signal: null, problem: null, endedAt: null });
    record.attempts++;
    record.startedAt = new Date().toISOString();
    const refusal = await this.#quiesce();
    const end = refusal === undefined ? await this.#copy(canResume) : undefined;
    Object.assign(record, refusal === undefined && end ? outcome(end) : failed(refusal));
    if (record.state === "done" && record.lengthBytes !== null) record.bytesDone = record.lengthBytes;
    record.process = null;
    await this.#thaw();
    const hasFailed = record.state === "failed" || (record.state === "stopped" && !this.#isStopped);
    if (hooks.onFailure && (hasFailed || record.owedPost)) await this.#hook("onFailure", hooks.onFailure);
    record.endedAt = new Date().toISOString();
    await this.parts.store.save();
    this.parts.listener.pair(record);
  }

  /** @returns why the copy can't begin */
  async #quiesce(): Promise<string | undefined> {
    const { pre, post, timeoutMs } = this.surveyed.pair.hooks;
    if (post) this.#record.owedPost = { command: [...post], timeoutMs };
    // The debt is on disk before it is made.
    await this.parts.store.save();
    this.parts.listener.pair(this.#record);
    return pre && this.#hook("pre", pre);
  }

  async #thaw(): Promise<void> {
    const { post } = this.surveyed.pair.hooks;
    const problem = post && (await this.#hook("post", post));
    if (!problem) this.#record.owedPost = null;
    else this.#record.problem ??= { message: problem, hint: null };
  }

  #hook(what: string, command: readonly string[]): Promise<string | undefined> {
    const { src, dst, pair } = this.surveyed;
    const { exitCode, signal, state } = this.#record;
    const environment = {
      P2PDMA_PAIR: pair.name,
      P2PDMA_SOURCE: src.path,
      P2PDMA_DESTINATION: dst.path,
      ...(state === "running"
        ? {}
        : { P2PDMA_EXIT_CODE: String(exitCode ?? (signal ? 128 : ExitCode.failed)) }),
    };
    return runHook(what, command, environment, pair.hooks.timeoutMs);
  }

  async #copy(canResume: boolean): Promise<ChildEnd> {
    if (this.#isStopped) return NOT_STARTED;
    const { command, store, sys } = this.parts;
    const args = canResume ? resumeArguments(this.#order) : copyArguments(this.#order);
    let hadRoute = false;
    const copy = startCopy(command, args, store.path(this.#record.receipt), (event) => {
      hadRoute ||= event.event === "route";
      this.#onEvent(event);
    });
    this.#process = copy;
    this.#record.process = ownerOf(sys, copy.pid);
    const trouble = store.save().then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    const end = await copy.end;
    this.#process = undefined;
    this.holdsMemory = false;
    this.foundNoMemory =
      !hadRoute && end.exitCode === ExitCode.noPeerToPeer && this.surveyed.route.via === "p2p";
    const failure = await trouble;
    if (failure) throw failure.error;
    return end;
  }

  get #order(): CopyOrder {
    const { pair, dst, route } = this.surveyed;
    const { store } = this.parts;
    return {
      ...{ from: pair.from, to: pair.to, options: pair.options, route },
      journal: store.path(this.#record.journal),
      writes: dst.kind === "block" ? dst.path : undefined,
    };
  }

  #onEvent(event: ProgressEvent): void {
    if (event.event === "route") this.holdsMemory = this.surveyed.route.via === "p2p";
    if (event.event === "progress") {
      const { phase, bytesDone, bytesPerSecond } = event;
      this.#progress = {
        ...{
          phase: String(phase),
          bytesDone: String(bytesDone),
          bytesPerSecond: String(bytesPerSecond ?? 0),
        },
      };
      if (phase === "copy" && /^\d{1,19}$/.test(String(bytesDone)))
        this.#record.bytesDone = String(bytesDone);
    }
    this.parts.listener.event(this.#record, event);
  }
}

function outcome(end: ChildEnd): Partial<PairRecord> {
  const { exitCode, signal } = end;
  return { exitCode, signal, state: stateAfter(end), problem: problemOf(end) };
}

function failed(message = "the copy did not begin"): Partial<PairRecord> {
  return { exitCode: null, signal: null, state: "failed", problem: { message, hint: null } };
}
