// SPDX-License-Identifier: MIT
import { createHash } from "node:crypto";
import { constants, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Native, type OpenFile, SyscallError } from "../../ffi/index.ts";
import type { Receipt } from "../copy/receipt.ts";
import type { CopyEnvironment } from "../copy/request.ts";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { type Journal, readJournal } from "../journal/journal.ts";
import { isAlive, type Owner, ownProcess } from "../journal/owner.ts";
import { replaceFile } from "../journal/store.ts";
import type { SystemView } from "../sysfs.ts";
import type { JobPair } from "./expand.ts";
import { type JobFile, type PairRecord, readJobFile } from "./job-file.ts";
import type { Hooks } from "./plan.ts";

const JOB = "job.json";
const PROGRESS = "progress.json";
const LOCK = "lock";

/** How far a running copy is; written down often and without waiting for the disk. */
export interface LiveProgress {
  readonly phase: string;
  readonly bytesDone: string;
  readonly bytesPerSecond: string;
}

/** `moves.p2pjob` beside `moves.yaml`. */
export function jobFolderOf(planPath: string): string {
  return `${planPath.replace(/\.(ya?ml|json)$/i, "")}.p2pjob`;
}

/** The job of a folder; undefined when there is none yet. */
export function loadJob(folder: string): JobFile | undefined {
  const path = join(folder, JOB);
  return existsSync(path) ? readJobFile(path) : undefined;
}

/** Who works on a job now; undefined when nobody does. */
export function workerOf(sys: SystemView, folder: string): Owner | undefined {
  try {
    const owner = JSON.parse(readFileSync(join(folder, LOCK), "utf8")) as Owner;
    return isAlive(sys, owner) ? owner : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps others from the job until it is released, or until this process ends in whatever way. */
export class JobLock {
  private constructor(
    private readonly native: Native,
    private readonly file: OpenFile,
  ) {}

  /** Makes the folder where it is missing. @throws P2pdmaError IN_USE when another process works on this job */
  static take({ sys, native }: CopyEnvironment, folder: string): JobLock {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = native.open(join(folder, LOCK), constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      native.lockExclusively(file);
    } catch (error) {
      native.close(file);
      if (!(error instanceof SyscallError) || error.code !== "EAGAIN") throw error;
      const pid = workerOf(sys, folder)?.pid;
      throw new P2pdmaError(
        "IN_USE",
        ExitCode.refused,
        `Cannot work on job "${folder}": ${pid === undefined ? "another process" : `process ${pid}`} does`,
        { hint: "p2pdma migrate PLAN --status shows how far it is", cause: error },
      );
    }
    writeFileSync(file.path, JSON.stringify(ownProcess(sys)));
    return new JobLock(native, file);
  }

  release(): void {
    this.native.ftruncate(this.file, 0n);
    this.native.close(this.file);
  }
}

/** A job under work: its state in memory, and on disk whenever it matters. */
export class JobStore {
  #current: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(
    readonly folder: string,
    readonly job: JobFile,
  ) {}

  record(name: string): PairRecord {
    const found = this.job.pairs.find((pair) => pair.name === name);
    if (!found) throw new RangeError(`the job has no pair "${name}"`);
    return found;
  }

  path(file: string): string {
    return join(this.folder, file);
  }

  /** Settled once what is in memory now would survive a power cut. */
  save(): Promise<void> {
    this.#next ??= this.#current
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        this.#current = replaceFile(this.path(JOB), `${JSON.stringify(this.job, null, 1)}\n`);
        return this.#current;
      });
    return this.#next;
  }
}

export function writeProgress(folder: string, progress: Readonly<Record<string, LiveProgress>>): void {
  const path = join(folder, PROGRESS);
  writeFileSync(`${path}.new`, JSON.stringify(progress), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export function readProgress(folder: string): Readonly<Record<string, LiveProgress>> {
  try {
    return JSON.parse(readFileSync(join(folder, PROGRESS), "utf8")) as Record<string, LiveProgress>;
  } catch {
    return {};
  }
}

export function forgetProgress(folder: string): void {
  rmSync(join(folder, PROGRESS), { force: true });
}

/** What a copy printed when it had ended well, or with bad ranges; null when it has not. */
export function readReceipt(path: string): Receipt | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Receipt;
  } catch {
    return null;
  }
}

/** What a pair's journal says if its copy can go on from there; a copy that turned out different begins anew. */
export function unfinishedJournal({ attempts, exitCode }: PairRecord, path: string): Journal | undefined {
  if (attempts === 0 || exitCode === ExitCode.dataDiffer || !existsSync(path)) return undefined;
  const journal = readJournal(path);
  return journal.state === "running" || journal.state === "stopped" ? journal : undefined;
}

/** What the plan says of one copy. */
export function pairDigest({ name, from, to, after, options, hooks }: JobPair): string {
  return sha256(JSON.stringify({ name, from, to, after, options, hooks }));
}

/** What a plan means, limits left out: they may change between two runs of a job. */
export function jobDigest(pairs: readonly JobPair[], hooks: Hooks): string {
  return sha256(JSON.stringify({ pairs: pairs.map(pairDigest), hooks }));
}

/** A copy that has not begun. */
export function newRecord(pair: JobPair): PairRecord {
  const file = fileNameOf(pair.name);
  return {
    ...{ name: pair.name, digest: pairDigest(pair), from: pair.from, to: pair.to, after: [...pair.after] },
    ...{ state: "waiting", attempts: 0, exitCode: null, signal: null, process: null },
    ...{ startedAt: null, endedAt: null, lengthBytes: null, bytesDone: "0" },
    ...{ source: null, destination: null, route: null, problem: null, owedPost: null },
    ...{ journal: `${file}.journal`, mapfile: `${file}.journal.map`, receipt: `${file}.receipt.json` },
  };
}

/** Readable, and unique for names that differ in what a file name can't hold. */
function fileNameOf(name: string): string {
  const readable = name
    .replaceAll(/[^\w.-]/g, "_")
    .replace(/^\./, "_")
    .slice(0, 80);
  return readable === name ? name : `${readable}-${sha256(name).slice(0, 8)}`;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
