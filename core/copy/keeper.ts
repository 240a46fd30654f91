// SPDX-License-Identifier: MIT
import { createHash } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { P2pdmaError, usageError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { emptyBitmap, packBits, stretches, sumBytes } from "../journal/bitmap.ts";
import { type EndIdentity, identityOf } from "../journal/identity.ts";
import {
  type BadRange,
  type Journal,
  type JournalOptions,
  readJournal,
  renderJournal,
} from "../journal/journal.ts";
import { isAtWork, ownProcess } from "../journal/owner.ts";
import { journalDirectory, removeLeftovers, replaceFile } from "../journal/store.ts";
import { lendersOf } from "../p2pmem/stripe.ts";
import type { SystemView } from "../sysfs.ts";
import { VERSION } from "../version.ts";
import { isProviderAlive } from "./faults.ts";
import type { Layout } from "./layout.ts";
import type { Bench } from "./pass.ts";
import type { CopyPlan } from "./prepare.ts";
import type { CopyEnvironment, CopyHooks, CopyRequest, JournalRequest } from "./request.ts";

/**
 * Keeps the journal of a running copy. It never claims a chunk that would not survive a power cut:
 * the bitmap is copied, the provider is asked whether it still answers (or what went through its memory
 * may be rubbish), the destination is flushed, and then the copy of the bitmap is written down.
 */
export class JournalKeeper {
  readonly #startedAt = new Date().toISOString();
  #ticker: NodeJS.Timeout | undefined;
  #isTicking = false;
  #busy: Promise<void> = Promise.resolve();
  #durable: Buffer;
  /** Once a flush has failed, what was written before it may be lost, and nothing more is claimed. */
  #broken: unknown;

  constructor(
    private readonly bench: Bench,
    readonly path: string,
    private layout: Layout,
    private readonly destination: EndIdentity,
  ) {
    this.#durable = Buffer.from(layout.bitmap);
  }

  /** The first journal, before anything is written; then one every so often. @throws P2pdmaError BAD_JOURNAL */
  async begin(): Promise<void> {
    try {
      if (this.bench.plan.request.journal?.path === undefined) {
        mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
      }
      await removeLeftovers(this.path);
      await this.#write("running", []);
    } catch (cause) {
      const what = `Cannot write the journal "${this.path}": ${reasonOf(cause)}`;
      throw new P2pdmaError("BAD_JOURNAL", ExitCode.failed, what, { cause, hint: "--no-journal keeps none" });
    }
    this.#ticker = setInterval(() => void this.#tick(), this.bench.plan.request.checkpointMs);
  }

  /** No second one waits behind one that is slow: a device's flush may be, or all of libuv's threads busy. */
  async #tick(): Promise<void> {
    if (this.#isTicking) return;
    this.#isTicking = true;
    try {
      await this.checkpoint();
    } catch (error) {
      const what = `the journal "${this.path}" could not be brought up to date`;
      this.bench.hooks.warn(`${what}: ${reasonOf(error)}`);
    } finally {
      this.#isTicking = false;
    }
  }

  /** Another layout, of which nothing is done yet. */
  replan(layout: Layout): Promise<void> {
    this.#busy = this.#busy
      .catch(() => {})
      .then(() => {
        this.layout = layout;
        this.#durable = Buffer.from(layout.bitmap);
        return this.#write("running", []);
      });
    return this.#busy;
  }

  /** Writes down what is durable by now; one after the other. */
  checkpoint(state: Journal["state"] = "running", bad: readonly BadRange[] = []): Promise<void> {
    this.#busy = this.#busy.catch(() => {}).then(() => this.#snapshot(state, bad));
    return this.#busy;
  }

  /** The last word: what can still be made durable is. A failure leaves the journal as it was. */
  async end(state: Journal["state"], bad: readonly BadRange[] = []): Promise<void> {
    clearInterval(this.#ticker);
    if (state !== "done") return this.checkpoint(state, bad);
    await this.#busy.catch(() => {});
    if (this.#broken !== undefined) throw this.#broken;
    await this.#write("done", bad);
  }

  async #snapshot(state: Journal["state"], bad: readonly BadRange[]): Promise<void> {
    const { env, route, files, hooks } = this.bench;
    const snapshot = Buffer.from(this.layout.bitmap);
    const lost = lendersOf(route.staging).find((provider) => !isProviderAlive(env.sys, provider));
    if (lost) this.#broken ??= new Error(`the provider ${lost.bdf} no longer answers`);
    if (this.#broken === undefined) {
      try {
        await env.native.flush(files.dst);
        this.#durable = snapshot;
      } catch (error) {
        this.#broken = error;
      }
    }
    await this.#write(state, bad);
    hooks.onCheckpoint?.(this.path, this.durableBytes);
    if (this.#broken !== undefined) throw this.#broken;
  }

  get durableBytes(): bigint {
    return sumBytes(stretches(this.layout.data, this.bench.plan.request.chunkBytes, this.#durable, true));
  }

  #write(state: Journal["state"], badRanges: readonly BadRange[]): Promise<void> {
    const { env, plan } = this.bench;
    const { request, range } = plan;
    const isDone = state === "done";
    const journal: Journal = {
      schema: "p2pdma.journal/1",
      createdWith: `p2pdma ${VERSION}`,
      createdAt: plan.resumed?.createdAt ?? this.#startedAt,
      updatedAt: new Date().toISOString(),
      state,
      process: ownProcess(env.sys),
      source: sourceIdentity(env.sys, plan),
      destination: this.destination,
      range: {
        srcOffset: range.srcOffset.toString(),
        dstOffset: range.dstOffset.toString(),
        lengthBytes: range.lengthBytes.toString(),
      },
      inPlace: plan.inPlace,
      chunkBytes: request.chunkBytes,
      options: optionsOf(request),
      data: isDone
        ? []
        : this.layout.data.map((one) => [one.srcOffset.toString(), one.lengthBytes.toString()]),
      durableBytes: isDone ? range.lengthBytes.toString() : this.durableBytes.toString(),
      bitmap: packBits(isDone ? emptyBitmap([], request.chunkBytes) : this.#durable),
      badRanges: [...badRanges],
    };
    return replaceFile(this.path, renderJournal(journal));
  }
}

/** A source that is overwritten while it is copied must look changed to a resume: the first look at it counts. */
function sourceIdentity(sys: SystemView, { src, resumed }: CopyPlan): EndIdentity {
  return resumed && resumed.state !== "done" ? { ...resumed.source, path: src.path } : identityOf(sys, src);
}

/**
 * Settles where the journal goes, before anything is touched.
 * @returns undefined when none is kept
 * @throws P2pdmaError USAGE for a file that is something else, or holds a copy that is not finished
 */
export function journalPathFor(
  env: CopyEnvironment,
  request: CopyRequest,
  plan: Pick<CopyPlan, "src" | "dst" | "range">,
  hooks: Pick<CopyHooks, "warn">,
): string | undefined {
  const { journal } = request;
  if (!journal) return undefined;
  const path = journal.path === undefined ? defaultPath(env.sys, plan) : resolve(journal.path);
  if (path !== undefined && existsSync(path)) checkReplaceable(env.sys, path, journal, hooks);
  return path;
}

function defaultPath(sys: SystemView, { src, dst, range }: Pick<CopyPlan, "src" | "dst" | "range">): string {
  const key = [src, dst].map((end) => stableName(identityOf(sys, end)));
  const digest = createHash("sha256")
    .update([...key, range.srcOffset, range.dstOffset].join("\n"))
    .digest("hex");
  const words = [src, dst].map(({ path }) =>
    path
      .split("/")
      .at(-1)
      ?.replace(/[^\w.-]/g, "_")
      .slice(0, 40),
  );
  return join(journalDirectory(), `${words.join("--")}-${digest.slice(0, 12)}.journal`);
}

function stableName(end: EndIdentity): string {
  return end.serial || end.wwid ? `${end.serial} ${end.wwid} ${end.partition}` : end.path;
}

function checkReplaceable(
  sys: SystemView,
  path: string,
  request: JournalRequest,
  hooks: Pick<CopyHooks, "warn">,
): void {
  const old = readOld(path, request, hooks);
  if (!old) return;
  if (isAtWork(sys, old)) throw inUse(path, old.process.pid);
  if (old.state === "done" || request.restart) return;
  const hint = `p2pdma resume ${path} goes on with it; --restart begins anew`;
  if (request.path !== undefined)
    throw usageError(`Journal "${path}" holds a copy that is not finished`, hint);
  hooks.warn(
    `beginning anew; an earlier copy of this pair was not finished (its journal is replaced: ${path})`,
  );
}

/** What lies at the default place and is no journal any more is nobody's: it is replaced. */
function readOld(path: string, request: JournalRequest, hooks: Pick<CopyHooks, "warn">): Journal | undefined {
  try {
    return readJournal(path);
  } catch (error) {
    if (request.path !== undefined) throw error;
    hooks.warn(`${reasonOf(error)}; it is replaced`);
    return undefined;
  }
}

export function inUse(path: string, pid: number): P2pdmaError {
  const what = `Cannot use journal "${path}": process ${pid} is at work on it`;
  return new P2pdmaError("IN_USE", ExitCode.refused, what);
}

function optionsOf(request: CopyRequest): JournalOptions {
  return {
    via: request.via,
    provider: request.provider ?? null,
    allocator: request.allocator ?? null,
    engine: request.engine,
    depth: request.depth ?? null,
    retries: request.retries,
    retryDelayMs: request.retryDelayMs,
    verify: request.verify ?? null,
    hash: request.hash ?? null,
    sparse: request.sparse,
    onError: request.onError,
    mapfile: request.mapfile ?? null,
    checkpointMs: request.checkpointMs,
    overwrite: [...request.overwrite],
  };
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
