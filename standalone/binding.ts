// SPDX-License-Identifier: MIT
import type { Ffi } from "ffi-napi";
import type { Ref } from "ref-napi";

/** In place of ffi/binding.ts: the two packages are part of the bundle, which runs them when they are required. */
export function binding(): { readonly ffi: Ffi; readonly ref: Ref } {
  return { ffi: require("ffi-napi") as Ffi, ref: require("ref-napi") as Ref };
}
