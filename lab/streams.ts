// SPDX-License-Identifier: MIT
import type { Duplex, Readable, Writable } from "node:stream";

/** Bytes from the guest into one sink after another, no faster than the sink takes them. */
export class OutputPump {
  /** Since boot, like the guest's own count. */
  private received = 0;
  private sink: Writable | undefined;
  private closed = false;
  private abandoned = false;
  private wake: () => void = () => {};

  constructor(private readonly socket: Duplex) {
    socket.on("data", (chunk: Buffer) => this.pass(chunk));
    socket.once("close", () => this.close());
  }

  attach(sink: Writable): void {
    this.sink = sink;
    // Never taken off again: the error of a last write may come after the command's end.
    sink.on("error", this.onSinkError);
  }

  /** Resolves when that many bytes were passed on, or none can be any more; false when some were lost. */
  async drained(total: number): Promise<boolean> {
    while (this.received < total && !this.closed) await this.nextChange();
    while (this.sink?.writableNeedDrain && !this.closed) await this.nextChange();
    this.sink = undefined;
    return this.abandoned || this.received >= total;
  }

  private nextChange(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }

  private pass(chunk: Buffer): void {
    this.received += chunk.length;
    if (this.sink && !this.sink.write(chunk)) {
      this.socket.pause();
      this.sink.once("drain", () => {
        this.socket.resume();
        this.wake();
      });
    }
    this.wake();
  }

  /** A reader that went away (EPIPE): the guest sees its port closed, and the command its SIGPIPE. */
  private readonly onSinkError = (): void => {
    this.abandoned = true;
    this.socket.destroy();
  };

  private close(): void {
    this.closed = true;
    this.wake();
  }
}

/** Bytes from one source after another into the guest, no faster than it takes them. */
export class InputPump {
  /** Since boot, like the guest's own count. */
  private sent = 0;
  private detachSource: () => void = () => {};

  constructor(private readonly socket: Duplex) {}

  get total(): number {
    return this.sent;
  }

  /** @param onEnd is told the total when the source has ended. */
  attach(source: Readable, onEnd: (total: number) => void): void {
    const resume = () => void source.resume();
    const onData = (chunk: Buffer | string) => {
      const bytes = Buffer.from(chunk);
      this.sent += bytes.length;
      if (!this.socket.write(bytes)) {
        source.pause();
        this.socket.once("drain", resume);
      }
    };
    const finish = () => onEnd(this.sent);
    source.on("data", onData).once("end", finish).once("error", finish);
    this.detachSource = () => {
      source.off("data", onData).off("end", finish).off("error", finish);
      this.socket.off("drain", resume);
      source.pause();
    };
  }

  detach(): void {
    this.detachSource();
    this.detachSource = () => {};
  }
}
