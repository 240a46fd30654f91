// SPDX-License-Identifier: MIT
import { createHash } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { cacheRoot } from "./folders.ts";

/** The kernel source: Debian's package linux-source-6.12, or the archive named in the environment. */
export function sourceTarball(env: NodeJS.ProcessEnv = process.env): string {
  return env.P2PDMA_KERNEL_SOURCE ?? "/usr/src/linux-source-6.12.tar.xz";
}

interface KnownDigest {
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
  readonly sha256: string;
}

/** SHA-256 of the source archive, null if there is none. Reads it once as long as it does not change. */
export function sourceDigest(cache = cacheRoot(), path = sourceTarball()): string | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isFile()) return null;
  const { size, mtimeMs } = stat;
  const known = readKnown(cache);
  if (known && known.path === path && known.size === size && known.mtimeMs === mtimeMs) return known.sha256;
  const sha256 = fileDigest(path);
  writeKnown(cache, { path, size, mtimeMs, sha256 });
  return sha256;
}

function fileDigest(path: string): string {
  const hash = createHash("sha256");
  const chunk = Buffer.allocUnsafe(1 << 20);
  const fd = openSync(path, "r");
  try {
    for (;;) {
      const length = readSync(fd, chunk);
      if (length === 0) return hash.digest("hex");
      hash.update(chunk.subarray(0, length));
    }
  } finally {
    closeSync(fd);
  }
}

function readKnown(cache: string): KnownDigest | undefined {
  try {
    return JSON.parse(readFileSync(join(cache, "source.json"), "utf8")) as KnownDigest;
  } catch {
    return undefined;
  }
}

/** Only spares time, so a cache that cannot be written to is no error. */
function writeKnown(cache: string, known: KnownDigest): void {
  try {
    mkdirSync(cache, { recursive: true });
    const draft = join(cache, `.source.json.${process.pid}`);
    writeFileSync(draft, `${JSON.stringify(known)}\n`);
    renameSync(draft, join(cache, "source.json"));
  } catch {}
}
