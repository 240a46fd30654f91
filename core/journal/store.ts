// SPDX-License-Identifier: MIT
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { open, readdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";

/**
 * Replaces a file so that after a power cut either the old or the new content is there, whole:
 * write beside it, fsync, rename, fsync the directory. Mode 0600.
 */
export async function replaceFile(path: string, content: string): Promise<void> {
  const beside = join(dirname(path), `.${basename(path)}.${process.pid}-${randomBytes(4).toString("hex")}`);
  try {
    const file = await open(beside, "wx", 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Removes what processes that were killed in the middle of replaceFile() left beside a file. */
export async function removeLeftovers(path: string): Promise<void> {
  const start = `.${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    const [, pid] = (name.startsWith(start) && /^(\d+)-[0-9a-f]{8}$/.exec(name.slice(start.length))) || [];
    if (pid && !existsSync(`/proc/${pid}`)) await rm(join(dirname(path), name), { force: true });
  }
}

/** Makes new names in a directory survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Where journals go that nobody gave a place: `$XDG_STATE_HOME/p2pdma/journals`. It may not be there yet. */
export function journalDirectory(): string {
  const state = process.env.XDG_STATE_HOME || join(homedir(), ".local", "state");
  return join(state, "p2pdma", "journals");
}
