// SPDX-License-Identifier: MIT
import type { CancelMode } from "../../ffi/index.ts";

export type StopReason = "SIGINT" | "SIGTERM" | "time" | "caller";

/** Anything at work that can be told to end. */
export interface Stoppable {
  cancel(mode: CancelMode): void;
}

/** How a copy is told from outside to stop: by a signal, by who called it, or because its time is up. */
export class StopSwitch {
  #mode: CancelMode | undefined;
  #reason: StopReason | undefined;
  readonly #watching = new Set<Stoppable>();

  get mode(): CancelMode | undefined {
    return this.#mode;
  }

  get reason(): StopReason | undefined {
    return this.#reason;
  }

  request(mode: CancelMode, reason: StopReason): void {
    this.#mode = mode;
    this.#reason ??= reason;
    for (const one of this.#watching) one.cancel(mode);
  }

  /** Passes the request on until the promise is settled; at once when it was made before. */
  async during<T>(work: Stoppable, done: Promise<T>): Promise<T> {
    this.#watching.add(work);
    if (this.#mode) work.cancel(this.#mode);
    try {
      return await done;
    } finally {
      this.#watching.delete(work);
    }
  }
}
