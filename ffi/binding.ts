// SPDX-License-Identifier: MIT
import { createRequire } from "node:module";
import type { Ffi } from "ffi-napi";
import type { Ref } from "ref-napi";
import { HelperError } from "./errors.ts";

const load = createRequire(import.meta.url);
let loaded: Binding | undefined;

interface Binding {
  readonly ffi: Ffi;
  readonly ref: Ref;
}

const REBUILD_HINT = "compile it here: npm rebuild ffi-napi ref-napi (needs g++, make, python3)";

/**
 * The FFI binding, loaded when it is first called: commands that only look around need none of it.
 * The standalone program has its own form of this file.
 * @throws HelperError when its compiled part is not there: npm was told, or decided, to run no install scripts
 */
export function binding(): Binding {
  loaded ??= loadBinding();
  return loaded;
}

function loadBinding(): Binding {
  // Deno takes the binding down in an order that it does not survive: the process ends before it comes to that.
  if (process.versions.deno) process.on("beforeExit", () => process.exit());
  try {
    return { ffi: load("ffi-napi") as Ffi, ref: load("ref-napi") as Ref };
  } catch (cause) {
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split("\n");
    throw new HelperError(`Cannot load the native binding ffi-napi: ${reason}`, REBUILD_HINT, cause);
  }
}
