// SPDX-License-Identifier: MIT
import { accessSync, closeSync, constants, openSync, readSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type P2pdmaError, usageError } from "../errors.ts";
import { MAPFILE_HEAD } from "../journal/mapfile.ts";
import type { CopyPlan } from "./prepare.ts";

type Sides = Pick<CopyPlan, "request" | "src" | "dst" | "journalPath">;

/** Where the mapfile goes if one is written: the user's place, or beside the journal. */
export function mapfilePath({
  request,
  journalPath,
}: Pick<CopyPlan, "request" | "journalPath">): string | undefined {
  return request.mapfile ?? (journalPath === undefined ? undefined : `${journalPath}.map`);
}

/**
 * Journal and mapfile replace what is at their place, so that must not be the source, the destination, each
 * other, a device or anybody's file.
 * @throws P2pdmaError USAGE, before anything is touched
 */
export function checkSideFiles(plan: Sides): void {
  const { request, journalPath } = plan;
  // The default places are our own, and may not be there yet.
  const journal = request.journal?.path === undefined ? undefined : journalPath;
  const mapfile = request.mapfile ?? (journal && mapfilePath(plan));
  if (journal !== undefined) checkPlace("journal", journal, plan);
  if (mapfile === undefined) return;
  checkPlace("mapfile", mapfile, plan);
  const isJournal = mapfile === journalPath || (journal && placeOf(mapfile) === placeOf(journal));
  if (isJournal) throw usageError(`"${mapfile}" can't be both the journal and the mapfile`);
  checkMapfile(mapfile);
}

function checkPlace(what: string, path: string, { src, dst }: Sides): void {
  try {
    accessSync(dirname(path), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw wrong(what, path, `its directory: ${(error as NodeJS.ErrnoException).code}`);
  }
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (stat && !stat.isFile()) throw wrong(what, path, "it is there, and no regular file");
  for (const [side, end] of [
    ["source", src],
    ["destination", dst],
  ] as const) {
    const isSame = stat ? end.inode === `${stat.dev}:${stat.ino}` : placeOf(end.path) === placeOf(path);
    if (isSame) throw wrong(what, path, `it is the ${side}`);
  }
}

/** The same for all names that lead to one place, links of directories followed. */
function placeOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return join(realpathSync(dirname(path)), basename(path));
  }
}

/** An older mapfile may be replaced, a letter to one's mother not. */
function checkMapfile(path: string): void {
  if (!statSync(path, { throwIfNoEntry: false })) return;
  const head = Buffer.alloc(MAPFILE_HEAD.length);
  const fd = openSync(path, "r");
  try {
    const length = readSync(fd, head);
    if (length > 0 && head.toString() !== MAPFILE_HEAD)
      throw wrong("mapfile", path, "it holds something else");
  } finally {
    closeSync(fd);
  }
}

function wrong(what: string, path: string, reason: string): P2pdmaError {
  return usageError(`Cannot write the ${what} "${path}": ${reason}`, "name another file");
}
