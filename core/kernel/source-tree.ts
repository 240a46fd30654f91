// SPDX-License-Identifier: MIT
import { type Dirent, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { usageError } from "../errors.ts";
import { codeOf } from "./c-code.ts";

/** A file of the kernel, without its comments. */
export interface SourceFile {
  /** Relative to the tree. */
  readonly path: string;
  readonly code: string;
}

/** A kernel source tree, read on demand; each file once. */
export class SourceTree {
  private readonly texts = new Map<string, string | undefined>();
  private readonly codes = new Map<string, string>();
  private readonly folders = new Map<string, readonly string[]>();

  constructor(readonly root: string) {}

  /** The file without comments; undefined when there is none of that name. */
  code(path: string): SourceFile | undefined {
    const text = this.text(path);
    if (text === undefined) return undefined;
    const known = this.codes.get(path) ?? codeOf(text);
    this.codes.set(path, known);
    return { path, code: known };
  }

  text(path: string): string | undefined {
    if (!this.texts.has(path)) this.texts.set(path, read(join(this.root, path)));
    return this.texts.get(path);
  }

  /** Whether the file ends within a line, as one does that was cut off: what is not in it may have been. */
  isCut(path: string): boolean {
    return this.text(path)?.endsWith("\n") === false;
  }

  /** All C files and headers below the folder of `path`, as paths; empty when there is no such folder. */
  around(path: string): readonly string[] {
    const folder = posix.dirname(path);
    const known = this.folders.get(folder) ?? listSources(this.root, folder);
    this.folders.set(folder, known);
    return known;
  }

  /** `6.12.117` by the top Makefile, for people to read: nothing is concluded from it. */
  version(): string | undefined {
    const makefile = this.text("Makefile") ?? "";
    const field = (name: string) => new RegExp(`^${name}\\s*=[ \\t]*(\\S*)`, "m").exec(makefile)?.[1];
    const [major, minor, patch] = [field("VERSION"), field("PATCHLEVEL"), field("SUBLEVEL")];
    if (!major || !minor) return undefined;
    return `${major}.${minor}${patch ? `.${patch}` : ""}${field("EXTRAVERSION") ?? ""}`;
  }
}

/** @throws P2pdmaError USAGE when the directory is no kernel source */
export function openSourceTree(directory: string): SourceTree {
  const hint = "name the top directory of an unpacked kernel source, the one with Makefile, Kconfig and mm/";
  if (!isDirectory(directory)) throw usageError(`"${directory}" is no directory`, hint);
  const tree = new SourceTree(directory);
  const isKernel =
    tree.version() !== undefined &&
    ["drivers", "include/linux"].every((name) => existsSync(join(directory, name)));
  if (!isKernel) throw usageError(`"${directory}" is no Linux kernel source tree`, hint);
  return tree;
}

/** @throws P2pdmaError USAGE when nobody can tell: no permission, links in a circle */
function isDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  } catch (cause) {
    throw usageError(`Cannot look into "${path}": ${(cause as NodeJS.ErrnoException).code}`);
  }
}

/** Links to folders are not followed: they may lead in circles, as readdir's own recursion would. */
function listSources(root: string, folder: string): string[] {
  return entries(join(root, folder)).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory()) return listSources(root, path);
    return /\.[ch]$/.test(entry.name) ? [path] : [];
  });
}

function entries(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    return [];
  }
}

/** A file that is empty, or no text, tells as little as one that is not there or can't be read. */
function read(path: string): string | undefined {
  try {
    const text = readFileSync(path, "utf8");
    return text === "" || text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}
