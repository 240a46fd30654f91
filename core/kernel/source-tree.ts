// SPDX-License-Identifier: MIT
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
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
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw usageError(`"${directory}" is no directory`, hint);
  }
  const tree = new SourceTree(directory);
  const isKernel =
    tree.version() !== undefined &&
    ["drivers", "include/linux"].every((name) => existsSync(join(directory, name)));
  if (!isKernel) throw usageError(`"${directory}" is no Linux kernel source tree`, hint);
  return tree;
}

function listSources(root: string, folder: string): string[] {
  try {
    return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.[ch]$/.test(name))
      .sort()
      .map((name) => posix.join(folder, name));
  } catch {
    return [];
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
