// SPDX-License-Identifier: MIT

const ROW_BYTES = 16;

/**
 * Hexadecimal rows in the manner of hexdump -C: rows that repeat the one before become one `*`, and the end is a
 * line with the offset alone. Bytes may come in any portions.
 */
export class Hexdump {
  #pending = Buffer.alloc(0);
  #offset: bigint;
  #previous: string | undefined;
  #isSqueezing = false;

  constructor(startOffset: bigint) {
    this.#offset = startOffset;
  }

  /** The rows that these bytes complete. */
  add(data: Buffer): string {
    const all = Buffer.concat([this.#pending, data]);
    const whole = all.length - (all.length % ROW_BYTES);
    let text = "";
    for (let at = 0; at < whole; at += ROW_BYTES) text += this.#row(all.subarray(at, at + ROW_BYTES));
    this.#pending = all.subarray(whole);
    return text;
  }

  /** The last, short row and the closing offset. */
  end(): string {
    const text = this.#pending.length > 0 ? this.#row(this.#pending) : "";
    return `${text}${hexOffset(this.#offset)}\n`;
  }

  #row(bytes: Buffer): string {
    const hex = bytes.toString("hex");
    const offset = hexOffset(this.#offset);
    this.#offset += BigInt(bytes.length);
    if (hex === this.#previous) {
      if (this.#isSqueezing) return "";
      this.#isSqueezing = true;
      return "*\n";
    }
    this.#previous = hex;
    this.#isSqueezing = false;
    const pairs = hex.match(/../g) ?? [];
    const halves = [pairs.slice(0, 8), pairs.slice(8)].map((half) => half.join(" ").padEnd(23));
    const text = bytes.toString("latin1").replace(/[^ -~]/g, ".");
    return `${offset}  ${halves.join("  ")}  |${text}|\n`;
  }
}

function hexOffset(offset: bigint): string {
  return offset.toString(16).padStart(8, "0");
}
