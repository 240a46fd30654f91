// SPDX-License-Identifier: MIT
import { closeSync, constants, mkdtempSync, openSync, rmdirSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { P2pdmaError } from "../core/errors.ts";
import { ExitCode } from "../core/exit-codes.ts";

/** Linux's O_TMPFILE on x86-64, which Node has no name for: a file that never has a name. */
const O_TMPFILE = 0o20200000;

/**
 * Has `use` open a file with this content that nobody else can open, replace or find: it has no name.
 *
 * The dynamic linker takes code from files only. /dev/shm is memory; the others serve where it is missing or mounted
 * noexec, hence the next one is tried when `use` throws.
 * @throws P2pdmaError when no folder would do
 */
export function withPrivateFile<T>(
  name: string,
  content: Uint8Array,
  use: (path: string) => T,
  folders = usualFolders(),
): T {
  const problems: string[] = [];
  for (const folder of folders) {
    try {
      return withFileIn(folder, content, use);
    } catch (error) {
      problems.push(`"${folder}": ${(error as Error).message.replace(/^.*\/proc\/self\/fd\/\d+: /, "")}`);
    }
  }
  throw new P2pdmaError("NO_PERMISSION", ExitCode.failed, `Cannot load ${name}: ${problems.join("; ")}`, {
    hint: "TMPDIR can name a folder that you may write to, on a file system that is not mounted noexec; /proc must be mounted",
  });
}

function usualFolders(): string[] {
  const { XDG_RUNTIME_DIR } = process.env;
  return [...new Set(["/dev/shm", XDG_RUNTIME_DIR, tmpdir(), "/tmp", "/var/tmp"])].filter(
    (path) => !!path,
  ) as string[];
}

function withFileIn<T>(folder: string, content: Uint8Array, use: (path: string) => T): T {
  const fd = openUnnamed(folder);
  try {
    writeFileSync(fd, content);
    // It stays open: the dynamic linker knows a library by its path, so no other file may get this number.
    return use(`/proc/self/fd/${fd}`);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openUnnamed(folder: string): number {
  try {
    return openSync(folder, O_TMPFILE | constants.O_RDWR | constants.O_EXCL, 0o600);
  } catch (error) {
    if (!["EOPNOTSUPP", "EISDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    return openAndUnlink(folder);
  }
}

/** For file systems without O_TMPFILE. Whoever moves the folder away meanwhile gains nothing: the file is new and 0600. */
function openAndUnlink(folder: string): number {
  const own = mkdtempSync(join(folder, "p2pdma-"));
  const path = join(own, "file");
  try {
    const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const fd = openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    unlinkSync(path);
    return fd;
  } finally {
    rmdirSync(own);
  }
}
