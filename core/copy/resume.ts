// SPDX-License-Identifier: MIT
import { resolve as resolvePath } from "node:path";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { stretches } from "../journal/bitmap.ts";
import {
  differences,
  type EndIdentity,
  identityOf,
  locate,
  nameOf,
  sourceChanges,
} from "../journal/identity.ts";
import { dataExtents, durableChunks, type Journal, readJournal } from "../journal/journal.ts";
import { isAtWork } from "../journal/owner.ts";
import type { Endpoint } from "./endpoint.ts";
import { runJob } from "./job.ts";
import { inUse } from "./keeper.ts";
import { prepare } from "./prepare.ts";
import type { Receipt } from "./receipt.ts";
import type { CopyEnvironment, CopyHooks, CopyRequest } from "./request.ts";
import { checkSideFiles } from "./side-files.ts";

export interface ResumeRequest {
  readonly journal: string;
  /** Go on although the source is not what it was. */
  readonly acceptChangedSource: boolean;
  /** Options that replace the journal's. */
  readonly override: Partial<CopyRequest>;
}

/**
 * Goes on with an interrupted copy: only what the journal does not claim is moved.
 * @returns undefined when the journal's copy is finished already
 * @throws P2pdmaError WRONG_IDENTITY (exit code 7) when a drive is another one, or the source has changed
 */
export async function resume(
  env: CopyEnvironment,
  { journal: given, acceptChangedSource, override }: ResumeRequest,
  hooks: CopyHooks,
): Promise<Receipt | undefined> {
  const path = resolvePath(given);
  const journal = readJournal(path);
  if (journal.state === "done") return undefined;
  if (isAtWork(env.sys, journal)) throw inUse(path, journal.process.pid);
  const request = { ...requestOf(env, journal, path), ...override };
  const permit = async (dst: Endpoint) => {
    checkDestination(journal.destination, identityOf(env.sys, dst));
    checkNotCut(journal, dst);
    await hooks.permit(dst);
  };
  const parts = await prepare(env, request, { permit, warn: hooks.warn }, journal);
  checkSource(env, journal.source, parts.src, acceptChangedSource, hooks);
  checkSideFiles({ request, ...parts, journalPath: path });
  return runJob(
    env,
    { request, ...parts, inPlace: journal.inPlace, journalPath: path, resumed: journal },
    hooks,
  );
}

function requestOf(env: CopyEnvironment, journal: Journal, path: string): CopyRequest {
  const { options, range } = journal;
  return {
    source: locate(env.sys, journal.source),
    destination: locate(env.sys, journal.destination),
    ...{ via: options.via, engine: options.engine, retries: options.retries, onError: options.onError },
    ...{ retryDelayMs: options.retryDelayMs, sparse: options.sparse, checkpointMs: options.checkpointMs },
    chunkBytes: journal.chunkBytes,
    provider: options.provider ?? undefined,
    allocator: options.allocator ?? undefined,
    depth: options.depth ?? undefined,
    mapfile: options.mapfile ?? undefined,
    verify: options.verify ?? undefined,
    hash: options.hash ?? undefined,
    overwrite: options.overwrite,
    offset: BigInt(range.srcOffset),
    length: BigInt(range.lengthBytes),
    seek: BigInt(range.dstOffset),
    ioPriority: 0,
    journal: { path, restart: false },
  };
}

function checkDestination(was: EndIdentity, is: EndIdentity): void {
  const [first] = differences(was, is);
  if (first) throw otherDevice("destination", was, first);
}

/** A file that became shorter has lost what the journal claims. */
function checkNotCut(journal: Journal, dst: Endpoint): void {
  const claimed = stretches(dataExtents(journal), journal.chunkBytes, durableChunks(journal), true).at(-1);
  const end = claimed ? claimed.dstOffset + claimed.lengthBytes : 0n;
  if (dst.kind === "file" && dst.sizeBytes < end) {
    throw otherDevice("destination", journal.destination, `it was cut to ${dst.sizeBytes} bytes`);
  }
}

function checkSource(
  env: CopyEnvironment,
  was: EndIdentity,
  src: Endpoint,
  mayDiffer: boolean,
  hooks: CopyHooks,
): void {
  const is = identityOf(env.sys, src);
  const changes = sourceChanges(was, is);
  const [first] = changes;
  if (!first) return;
  if (differences(was, is).length > 0 || !mayDiffer) throw otherDevice("source", was, first);
  hooks.warn(
    `${nameOf(was)} is not what it was (${changes.join(", ")}): the copy will hold a mixture of old and new`,
  );
}

function otherDevice(side: string, was: EndIdentity, difference: string): P2pdmaError {
  const what = `Cannot resume: the ${side} ${nameOf(was)} is not the one the copy was begun with: ${difference}`;
  const hint =
    side === "source"
      ? "--changed-source goes on with a source that was modified; a copy anew is safer"
      : "a copy to another destination starts anew, with p2pdma copy";
  return new P2pdmaError("WRONG_IDENTITY", ExitCode.refused, what, { hint });
}
