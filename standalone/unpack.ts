// SPDX-License-Identifier: MIT
import { createHash } from "node:crypto";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";

/** Files and symbolic links, by their paths below one folder. */
export interface FileTree {
  readonly files: readonly { path: string; sha256: string; content: () => Uint8Array }[];
  readonly links: readonly { path: string; target: string }[];
}

/**
 * The folder with exactly this tree in it: as it is there, or made anew when a byte is missing, other or too many.
 * Its parent must be private; processes that come at the same time do not disturb each other.
 */
export function unpack(folder: string, tree: FileTree): string {
  if (isIntact(folder, tree)) return folder;
  const draft = mkdtempSync(join(dirname(folder), ".new-"));
  try {
    write(draft, tree);
    publish(draft, folder, tree);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return folder;
}

function write(folder: string, { files, links }: FileTree): void {
  const place = (path: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true, mode: 0o700 });
    return join(folder, path);
  };
  for (const { path, content } of files) writeFileSync(place(path), content(), { mode: 0o600, flag: "wx" });
  for (const { path, target } of links) symlinkSync(target, place(path));
}

/** Puts the draft in the folder's place; whoever was faster with the same has done it for us. */
function publish(draft: string, folder: string, tree: FileTree): void {
  try {
    renameSync(draft, folder);
  } catch (error) {
    if (isIntact(folder, tree)) return;
    if (!["ENOTEMPTY", "EEXIST", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? ""))
      throw error;
    const damaged = mkdtempSync(join(dirname(folder), ".old-"));
    renameSync(folder, join(damaged, "was"));
    rmSync(damaged, { recursive: true, force: true });
    renameSync(draft, folder);
  }
}

function isIntact(folder: string, { files, links }: FileTree): boolean {
  try {
    const expected = [...files, ...links].map(({ path }) => path).sort();
    return (
      listing(folder).join("\0") === expected.join("\0") &&
      files.every(({ path, sha256 }) => digest(join(folder, path)) === sha256) &&
      links.every(({ path, target }) => readlinkSync(join(folder, path)) === target)
    );
  } catch {
    return false;
  }
}

/** All that is no folder, sorted; symbolic links are not followed. */
function listing(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

function digest(path: string): string | undefined {
  if (!lstatSync(path).isFile()) return undefined;
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}
