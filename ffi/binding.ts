// SPDX-License-Identifier: MIT
import { createRequire } from "node:module";
import type { Ffi } from "ffi-napi";
import type { Ref } from "ref-napi";

const load = createRequire(import.meta.url);

/**
 * The FFI binding, loaded when it is first called: commands that only look around need none of it.
 * The standalone program has its own form of this file.
 */
export function binding(): { readonly ffi: Ffi; readonly ref: Ref } {
  return { ffi: load("ffi-napi") as Ffi, ref: load("ref-napi") as Ref };
}
