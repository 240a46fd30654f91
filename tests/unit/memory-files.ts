// SPDX-License-Identifier: MIT
import { posix } from "node:path";
import { SystemView } from "../../core/sysfs.ts";

/** A file tree in memory, with symbolic links that lead where they do in sysfs. */
export class MemoryFiles extends SystemView {
  /** Questions asked so far. */
  questions = 0;
  private readonly files = new Map<string, Uint8Array>();
  private readonly folders = new Map<string, Set<string>>([["/", new Set()]]);
  private readonly links = new Map<string, string>();

  /** Undefined leaves the file out. */
  write(path: string, content: string | Uint8Array | undefined): void {
    if (content === undefined) return;
    this.files.set(path, typeof content === "string" ? Buffer.from(content) : content);
    this.enter(path);
  }

  folder(path: string): void {
    if (!this.folders.has(path)) {
      this.folders.set(path, new Set());
      this.enter(path);
    }
  }

  link(path: string, target: string): void {
    this.links.set(path, target);
    this.enter(path);
  }

  remove(path: string): void {
    this.folders.get(posix.dirname(path))?.delete(posix.basename(path));
    for (const known of [this.files, this.folders, this.links]) known.delete(path);
  }

  override bytes(path: string): Uint8Array | undefined {
    this.questions++;
    const real = this.follow(path);
    return real === undefined ? undefined : this.files.get(real);
  }

  override list(path: string): string[] {
    this.questions++;
    const real = this.follow(path);
    return [...((real === undefined ? undefined : this.folders.get(real)) ?? [])].sort();
  }

  override resolve(path: string): string | undefined {
    this.questions++;
    return this.follow(path);
  }

  private enter(path: string): void {
    if (path === "/") return;
    this.folder(posix.dirname(path));
    this.folders.get(posix.dirname(path))?.add(posix.basename(path));
  }

  private follow(path: string): string | undefined {
    let real = "";
    for (const part of posix.normalize(path).split("/").slice(1)) {
      if (part === "") continue;
      real = `${real}/${part}`;
      const target = this.links.get(real);
      if (target !== undefined) real = this.follow(target) ?? "/dangling";
    }
    return this.files.has(real) || this.folders.has(real) ? real : undefined;
  }
}
