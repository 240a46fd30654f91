// SPDX-License-Identifier: MIT
import { constants, openSync, readSync } from "node:fs";

/** The kernel's log, without the cost of starting dmesg in a slow guest. */
export class KernelLog {
  private readonly fd = openSync("/dev/kmsg", constants.O_RDONLY | constants.O_NONBLOCK);
  private readonly record = Buffer.alloc(8192);

  /** Messages since the last call, oldest first; a read gives one. */
  readNew(): string[] {
    const messages: string[] = [];
    for (let text = this.readOne(); text !== undefined; text = this.readOne()) messages.push(text);
    return messages;
  }

  /** `level,number,time,flags;text`, then lines about the device. */
  private readOne(): string | undefined {
    try {
      const record = this.record.toString("utf8", 0, readSync(this.fd, this.record));
      return record.slice(record.indexOf(";") + 1);
    } catch (error) {
      // EPIPE: older messages were overwritten, the next read goes on.
      if ((error as NodeJS.ErrnoException).code === "EPIPE") return "";
      return undefined;
    }
  }
}
