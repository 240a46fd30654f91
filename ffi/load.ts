// SPDX-License-Identifier: MIT
import type { Library } from "ffi-napi";
import { binding } from "./binding.ts";
import { MissingLibraryError, SyscallError } from "./errors.ts";
import { withHelperFile } from "./helper-file.ts";

/**
 * The one file that knows the FFI binding. Addresses are declared `size_t`, so
 * they arrive as plain numbers (user addresses stay below 2^47) and no Buffer
 * is ever made over device memory: one stray read of it would be CPU traffic.
 */
const LIBC = {
  open: ["int", ["string", "int", "uint"]],
  close: ["int", ["int"]],
  pread: ["int64", ["int", "size_t", "size_t", "int64"]],
  pwrite: ["int64", ["int", "size_t", "size_t", "int64"]],
  preadv: ["int64", ["int", "size_t", "int", "int64"]],
  pwritev: ["int64", ["int", "size_t", "int", "int64"]],
  mmap: ["int64", ["size_t", "size_t", "int", "int", "int", "int64"]],
  munmap: ["int", ["size_t", "size_t"]],
  read: ["int64", ["int", "size_t", "size_t"]],
  ioctl: ["int", ["int", "ulong", "size_t"]],
  flock: ["int", ["int", "int"]],
  fsync: ["int", ["int"]],
  fdatasync: ["int", ["int"]],
  ftruncate: ["int", ["int", "int64"]],
  fallocate: ["int", ["int", "int", "int64", "int64"]],
  lseek: ["int64", ["int", "int64", "int"]],
  statx: ["int", ["int", "string", "int", "uint", "size_t"]],
  syscall: ["int64", ["int64", "size_t", "int64", "int64", "int64", "uint64"]],
  memcpy: ["size_t", ["size_t", "size_t", "size_t"]],
  memset: ["size_t", ["size_t", "int", "size_t"]],
} satisfies Record<string, [string, string[]]>;

const HELPERS = {
  p2p_abi_version: ["uint32", []],
  p2p_pump_run: ["int", ["size_t"]],
  p2p_bench_run: ["int", ["size_t"]],
  p2p_copy_tail: [
    "int",
    ["int", "int", "uint64", "uint64", "uint32", "uint32", "uint32", "size_t", "size_t"],
  ],
  p2p_prefault: ["int", ["uint64", "uint64", "uint32"]],
  p2p_memory_fill: ["int", ["size_t"]],
  p2p_memory_verify: ["int", ["size_t"]],
  p2p_memory_copy: ["int", ["size_t", "size_t", "size_t"]],
  p2p_register_read: ["int", ["size_t", "size_t", "size_t", "uint32"]],
  p2p_fallocate: ["int", ["int", "int", "uint64", "uint64"]],
  p2p_fdatasync: ["int", ["int"]],
  p2p_pread: ["int64", ["int", "size_t", "uint64", "uint64"]],
  p2p_nvme_copy: ["int", ["size_t"]],
  p2p_hash_begin: ["int", ["size_t"]],
  p2p_hash_update: ["int", ["size_t", "size_t", "size_t"]],
  p2p_hash_end: ["int", ["size_t", "size_t"]],
} satisfies Record<string, [string, string[]]>;

/** Version of c-helpers/p2pdma.h that the layouts in this folder follow. */
export const ABI_VERSION = 3;

type LibcName = keyof typeof LIBC;
type HelperName = keyof typeof HELPERS;
/**
 * What a native call takes. A bigint becomes a decimal string, the form the binding takes for 64 bits; of memory the
 * address is passed.
 */
export type Arg = number | bigint | string | Uint8Array;

const counters = { calls: 0 };

/** Number of native calls made by this process so far. */
export function nativeCalls(): number {
  return counters.calls;
}

/** Address of an ordinary Buffer. Only for this folder. */
export function bufferAddress(buffer: Uint8Array): number {
  return binding().ref.address(buffer);
}

let libc: Library | undefined;
let helpers: Library | undefined;

/** What calls under way read and write: it must not be collected, and nothing else may refer to it any more. */
const held = new Set<object>();

function holding<T>(memory: object, call: () => T): T {
  held.add(memory);
  try {
    return call();
  } finally {
    held.delete(memory);
  }
}

/** Calls libc; throws SyscallError with the errno when the result is -1. */
export function libcCall(name: LibcName, target: string, ...args: Arg[]): number {
  libc ??= binding().ffi.Library("libc.so.6", LIBC);
  const call = libc[name];
  counters.calls++;
  const result = Number(holding(args, () => call?.(...args.map(toNative))));
  if (result === -1) throw new SyscallError(name, binding().ffi.errno(), target);
  return result;
}

/** Calls a helper that answers 0 or -errno; throws SyscallError for the latter. */
export function helperCall(name: HelperName, target: string, ...args: Arg[]): number {
  counters.calls++;
  const call = helperLibrary()[name];
  return checkHelper(
    name,
    target,
    holding(args, () => call?.(...args.map(toNative))),
  );
}

/**
 * The same on a worker thread, so that the event loop goes on. Answers the raw result.
 * @param memory whatever else the call reads or writes, by addresses inside its arguments; kept until it returns.
 */
export function helperCallAsync(name: HelperName, memory: object, ...args: Arg[]): Promise<number> {
  counters.calls++;
  const call = helperLibrary()[name];
  const kept = [memory, args];
  held.add(kept);
  const result = new Promise<number>((resolve, reject) => {
    call?.async(...args.map(toNative), (error, value) => (error ? reject(error) : resolve(Number(value))));
  });
  return result.finally(() => held.delete(kept));
}

/**
 * A system library that may not be installed, loaded when first called.
 * @throws MissingLibraryError
 */
export function systemLibrary<Name extends string>(
  file: string,
  signatures: Record<Name, [string, string[]]>,
): (name: Name, ...args: Arg[]) => number | string | null {
  let library: Library | undefined;
  return (name, ...args) => {
    library ??= loadSystemLibrary(file, signatures);
    const call = library[name];
    counters.calls++;
    return holding(args, () => call?.(...args.map(toNative))) ?? null;
  };
}

/** The errno that the last call left behind; for libraries that do not answer with one. */
export function lastErrno(): number {
  return binding().ffi.errno();
}

function loadSystemLibrary(file: string, signatures: Record<string, [string, string[]]>) {
  try {
    return binding().ffi.Library(file, signatures);
  } catch (cause) {
    throw new MissingLibraryError(file, cause);
  }
}

/** Turns a negative errno into a SyscallError. */
function checkHelper(name: string, target: string, result: number | string | undefined): number {
  const value = Number(result);
  if (value < 0) throw new SyscallError(name, -value, target);
  return value;
}

function toNative(arg: Arg): number | string {
  if (arg instanceof Uint8Array) return bufferAddress(arg);
  return typeof arg === "bigint" ? arg.toString() : arg;
}

/** Loads our compiled part now, so that it is not found missing half-way. @throws HelperError */
export function requireHelper(): void {
  helperLibrary();
}

function helperLibrary(): Library {
  helpers ??= withHelperFile(openHelper);
  return helpers;
}

function openHelper(path: string): Library {
  const { ffi } = binding();
  const loaded = ffi.Library(new ffi.DynamicLibrary(path), HELPERS);
  const version = Number(loaded.p2p_abi_version?.());
  if (version !== ABI_VERSION)
    throw new Error(`it has interface version ${version}, expected ${ABI_VERSION}`);
  return loaded;
}
