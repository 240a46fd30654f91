// SPDX-License-Identifier: MIT

const LONGEST_LINE = 1000;

/** The last lines of the guest's kernel console, whatever it writes. */
export class ConsoleTail {
  private readonly complete: string[] = [];
  private partial = "";

  constructor(private readonly capacity = 200) {}

  push(chunk: Buffer): void {
    const pieces = (this.partial + chunk.toString("latin1")).split("\n");
    this.partial = (pieces.pop() ?? "").slice(0, LONGEST_LINE);
    this.complete.push(...pieces.map(clean));
    this.complete.splice(0, this.complete.length - this.capacity);
  }

  lines(): string[] {
    const last = clean(this.partial);
    return last === "" ? [...this.complete] : [...this.complete, last];
  }
}

/** Firmware and kernel may write escape sequences; an error message must not. */
function clean(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  return line.slice(0, LONGEST_LINE).replace(/\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, "");
}
