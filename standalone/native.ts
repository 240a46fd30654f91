// SPDX-License-Identifier: MIT
// The native parts of the standalone program: the addons of the FFI binding, and the C helper.
import { rawAsset } from "./asset.ts";
import { withPrivateFile } from "./private-file.ts";

/** Loads a Node addon that is inside this program. */
export function loadAddon(name: string): unknown {
  return withNativeFile(name, (path) => {
    const module = { exports: {} };
    process.dlopen(module, path);
    return module.exports;
  });
}

/** In place of ffi/helper-file.ts. */
export function withHelperFile<T>(load: (path: string) => T): T {
  return withNativeFile("libp2pdma.so", load);
}

function withNativeFile<T>(name: string, load: (path: string) => T): T {
  return withPrivateFile(name, rawAsset(`native/${name}`), load);
}
