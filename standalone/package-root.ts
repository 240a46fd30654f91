// SPDX-License-Identifier: MIT
import { createHash } from "node:crypto";
import { join } from "node:path";
import { getAsset } from "node:sea";
import { rawAsset } from "./asset.ts";
import { cacheHome, privateFolder } from "./private-folder.ts";
import { type FileTree, unpack } from "./unpack.ts";

let root: string | undefined;

/**
 * In place of lab/package-root.ts: a folder with the files that other programs read (patches, kernel configuration, the
 * lab's init), unpacked when first asked for and checked every time.
 * @throws P2pdmaError when there is no folder that only this user can write to
 */
export function packageRoot(): string {
  root ??= unpackData(cacheHome());
  return root;
}

function unpackData(cache: string): string {
  const manifest = getAsset("manifest.json", "utf8");
  const digests = JSON.parse(manifest) as Record<string, string>;
  const files: FileTree["files"] = Object.entries(digests).map(([path, sha256]) => ({
    path,
    sha256,
    content: () => rawAsset(`data/${path}`),
  }));
  // What the lab's guest finds as `p2pdma`.
  const links = [{ path: "dist/bin/p2pdma", target: process.execPath }];
  const key = createHash("sha256").update(`${manifest}\0${process.execPath}`).digest("hex").slice(0, 16);
  return unpack(join(privateFolder(cache, "p2pdma-standalone"), key), { files, links });
}
