// SPDX-License-Identifier: MIT
import { posix } from "node:path";
import { SystemView } from "../sysfs.ts";
import { excerptOf } from "./excerpt.ts";
import { captureLimits, noAnswers } from "./format.ts";
import { isSecret } from "./identifiers.ts";

/**
 * A view that remembers every answer of another one, without the parts of files
 * that a capture leaves out. It asks once, and its answers are what the capture
 * will say, so that a gatherer can't see more here than it will see there.
 */
export class RecordingView extends SystemView {
  readonly answers = noAnswers();

  constructor(private readonly source: SystemView) {
    super();
  }

  override bytes(path: string): Uint8Array | undefined {
    return remember(this.answers.files, path, (at) => {
      const bytes = isSecret(at) ? undefined : this.source.bytes(at);
      const excerpt = bytes && excerptOf(at, bytes);
      return excerpt && excerpt.length <= captureLimits.contentBytes ? excerpt : undefined;
    });
  }

  override list(path: string): string[] {
    return [...remember(this.answers.lists, path, (at) => this.source.list(at))];
  }

  override resolve(path: string): string | undefined {
    return remember(this.answers.links, path, (at) => this.source.resolve(at));
  }
}

function remember<T>(answers: Map<string, T>, path: string, ask: (path: string) => T): T {
  const at = posix.normalize(path);
  const known = answers.get(at);
  if (known !== undefined || answers.has(at)) return known as T;
  const answer = ask(at);
  answers.set(at, answer);
  return answer;
}
