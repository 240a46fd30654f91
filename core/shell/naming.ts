// SPDX-License-Identifier: MIT
import { SyscallError } from "../../ffi/index.ts";

/** Has errors of node:fs look like those of our own calls. @throws SyscallError */
export async function naming<T>(call: string, path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    throw errno === undefined ? error : new SyscallError(call, -errno, path);
  }
}
