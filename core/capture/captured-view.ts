// SPDX-License-Identifier: MIT
import { posix } from "node:path";
import { SystemView } from "../sysfs.ts";
import type { Answers } from "./format.ts";

/** A machine that is not here. What nobody asked when it was captured is not there. */
export class CapturedView extends SystemView {
  constructor(private readonly answers: Answers) {
    super();
  }

  override bytes(path: string): Uint8Array | undefined {
    return this.answers.files.get(posix.normalize(path));
  }

  override list(path: string): string[] {
    return [...(this.answers.lists.get(posix.normalize(path)) ?? [])];
  }

  override resolve(path: string): string | undefined {
    return this.answers.links.get(posix.normalize(path));
  }
}
