// SPDX-License-Identifier: MIT
import type { CopyEvent } from "../copy/events.ts";

/** Events between a copy and who reads them, however slowly: old news is dropped for new of the same kind. */
export class EventQueue {
  #events: CopyEvent[] = [];
  #hasEnded = false;
  #waiting: (() => void)[] = [];

  push(event: CopyEvent): void {
    this.#events = [...this.#events.filter((old) => !isOutdated(old, event)), event];
    this.#wake();
  }

  end(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  /** The next event, when there is one; undefined after the last. */
  async next(): Promise<CopyEvent | undefined> {
    while (this.#events.length === 0 && !this.#hasEnded) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.#events.shift();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

function isOutdated(old: CopyEvent, by: CopyEvent): boolean {
  if (old.event === "progress" && by.event === "progress") return old.phase === by.phase;
  return old.event === "checkpoint" && by.event === "checkpoint";
}
