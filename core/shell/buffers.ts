// SPDX-License-Identifier: MIT

import type { CopyEnvironment } from "../copy/request.ts";
import { P2pdmaError, usageError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { HeldBuffer, type HeldBufferRequest } from "../p2pmem/held-buffer.ts";

/** What a session holds, by name, in the order it was taken. */
export class HeldBuffers implements Disposable {
  readonly #held = new Map<string, HeldBuffer>();

  /**
   * Takes memory.
   * @param request without a name it gets the first free one of buf1, buf2…
   * @throws P2pdmaError USAGE for a name that is taken or none, NO_P2PMEM
   */
  allocate(
    env: CopyEnvironment,
    request: Omit<HeldBufferRequest, "name"> & { name?: string | undefined },
  ): HeldBuffer {
    const name = request.name ?? this.#freeName();
    if (!/^[A-Za-z][\w-]*$/.test(name)) {
      throw usageError(
        `"${name}" can't be a buffer's name`,
        "a name is a letter, then letters, digits, _ or -",
      );
    }
    if (this.#held.has(name))
      throw usageError(`There is a buffer "${name}" already`, `free ${name} gives it back`);
    const buffer = HeldBuffer.allocate(env, { ...request, name });
    this.#held.set(name, buffer);
    return buffer;
  }

  list(): HeldBuffer[] {
    return [...this.#held.values()];
  }

  /** @throws P2pdmaError NOT_FOUND naming those there are */
  get(name: string): HeldBuffer {
    const buffer = this.#held.get(name);
    if (buffer) return buffer;
    const names = [...this.#held.keys()];
    throw new P2pdmaError("NOT_FOUND", ExitCode.failed, `No buffer "${name}" is held`, {
      hint: names.length > 0 ? `held: ${names.join(", ")}` : "alloc PROVIDER SIZE takes one",
    });
  }

  /** Gives these back, or none when one of them is not there. @throws P2pdmaError NOT_FOUND */
  free(names: readonly string[]): void {
    for (const buffer of names.map((name) => this.get(name))) {
      buffer.close();
      this.#held.delete(buffer.name);
    }
  }

  freeAll(): void {
    this.free([...this.#held.keys()]);
  }

  [Symbol.dispose](): void {
    this.freeAll();
  }

  #freeName(): string {
    for (let number = 1; ; number++) if (!this.#held.has(`buf${number}`)) return `buf${number}`;
  }
}
