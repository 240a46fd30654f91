// SPDX-License-Identifier: MIT
import type { Duplex } from "node:stream";
import { LabError } from "./errors.ts";
import { lineSplitter } from "./protocol.ts";

export interface QmpEvent {
  readonly event: string;
  readonly data?: unknown;
}

interface Reply {
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
  readonly event?: string;
  readonly data?: unknown;
}

interface Pending {
  readonly command: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** QEMU's machine protocol: JSON lines, answers in the order of the commands. */
export class QmpClient {
  private readonly pending: Pending[] = [];
  private readonly listeners = new Set<(event: QmpEvent) => unknown>();

  constructor(private readonly socket: Duplex) {
    socket.on(
      "data",
      lineSplitter((line) => this.receive(JSON.parse(line) as Reply)),
    );
    socket.once("close", () => this.rejectAll());
    void this.execute("qmp_capabilities").catch(() => {});
  }

  /** @throws LabError with QEMU's own description, or when QEMU is gone. */
  execute(command: string, args: object = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.pending.push({ command, resolve, reject });
      this.socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
      if (this.socket.destroyed) this.rejectAll();
    });
  }

  /** The next event of that name, for example DEVICE_DELETED: ask before the command that causes it. */
  nextEvent(name: string, timeoutMs: number): Promise<QmpEvent> {
    const event = new Promise<QmpEvent>((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        this.listeners.delete(listener);
        this.socket.off("close", ended);
        act();
      };
      const listener = (event: QmpEvent) => event.event === name && settle(() => resolve(event));
      const fail = (why: string) => settle(() => reject(new LabError(`QEMU ${why}`)));
      const ended = () => fail(`ended without a ${name} event`);
      const timer = setTimeout(() => fail(`sent no ${name} event within ${timeoutMs} ms`), timeoutMs);
      this.listeners.add(listener);
      this.socket.once("close", ended);
    });
    event.catch(() => {}); // the command in between may fail first
    return event;
  }

  private receive(reply: Reply): void {
    if (reply.event !== undefined) {
      for (const listener of this.listeners) listener({ event: reply.event, data: reply.data });
    } else if (reply.error) {
      const failed = this.pending.shift();
      failed?.reject(new LabError(`QEMU refused "${failed.command}": ${reply.error.desc}`));
    } else if ("return" in reply) {
      this.pending.shift()?.resolve(reply.return);
    }
  }

  private rejectAll(): void {
    for (const { command, reject } of this.pending.splice(0)) {
      reject(new LabError(`QEMU ended before it answered "${command}"`));
    }
  }
}
