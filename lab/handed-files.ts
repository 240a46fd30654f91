// SPDX-License-Identifier: MIT
import { closeSync, writeSync } from "node:fs";
import { openUnnamedFile } from "./disks.ts";
import { FIRST_FILE_FD } from "./machine.ts";

/** Unnamed files that QEMU inherits: it needs no name for them, so none can be left behind. */
export class HandedFiles {
  readonly descriptors: number[] = [];

  /** Returns the descriptor's number in QEMU. */
  addEmpty(sizeBytes: number): number {
    return FIRST_FILE_FD + this.descriptors.push(openUnnamedFile(sizeBytes)) - 1;
  }

  addContent(content: Buffer): number {
    const childFd = this.addEmpty(content.length);
    writeSync(this.descriptors.at(-1) ?? -1, content, 0, content.length, 0);
    return childFd;
  }

  /** Ours; QEMU keeps its own. */
  close(): void {
    for (const fd of this.descriptors.splice(0)) closeSync(fd);
  }
}
