// SPDX-License-Identifier: MIT
import { lstatSync, mkdirSync, realpathSync, type Stats } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { P2pdmaError } from "../core/errors.ts";
import { ExitCode } from "../core/exit-codes.ts";

const STICKY = 0o1000;

/** $XDG_CACHE_HOME, by default ~/.cache. @throws P2pdmaError when there is neither */
export function cacheHome(env: NodeJS.ProcessEnv = process.env): string {
  if (env.XDG_CACHE_HOME) return env.XDG_CACHE_HOME;
  try {
    return join(homedir(), ".cache");
  } catch (cause) {
    throw noFolder("there is no home folder", cause);
  }
}

/**
 * A folder in `parent` whose content nobody but this user (and root) can change: a real folder, ours, mode 0700, and
 * no one else may rename what lies above it. Made if need be.
 * @throws P2pdmaError when it is not like that
 */
export function privateFolder(parent: string, name: string): string {
  try {
    mkdirSync(parent, { recursive: true, mode: 0o700 });
    const above = realpathSync(parent);
    for (let path = above; ; path = dirname(path)) {
      if (canOthersRenameIn(lstatSync(path))) throw noFolder(`others can write to "${path}"`);
      if (path === dirname(path)) break;
    }
    return own(join(above, name));
  } catch (cause) {
    throw cause instanceof P2pdmaError ? cause : noFolder((cause as Error).message, cause);
  }
}

function own(path: string): string {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const stats = lstatSync(path);
  if (!stats.isDirectory()) throw noFolder(`"${path}" is no folder`);
  if (stats.uid !== process.geteuid?.()) throw noFolder(`"${path}" belongs to user ${stats.uid}`);
  if (stats.mode & 0o077)
    throw noFolder(`"${path}" is open to others (mode ${(stats.mode & 0o777).toString(8)})`);
  return path;
}

/** A group of the owner's own (user and group have one number) is no one else. */
function canOthersRenameIn({ uid, gid, mode }: Stats): boolean {
  if (uid !== 0 && uid !== process.geteuid?.()) return true;
  const isWritable = (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== uid);
  return isWritable && (mode & STICKY) === 0;
}

function noFolder(reason: string, cause?: unknown): P2pdmaError {
  return new P2pdmaError("NO_PERMISSION", ExitCode.failed, `Cannot unpack this program's files: ${reason}`, {
    hint: "XDG_CACHE_HOME can name a folder that only you can write to",
    cause,
  });
}
