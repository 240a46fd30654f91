// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { decodeContent, encodeContent } from "../../../../core/capture/content.ts";
import type { Content } from "../../../../core/capture/format.ts";

const rows: [string, string | Uint8Array | undefined, Content][] = [
  ["nothing", undefined, null],
  ["an empty file", "", ""],
  ["one line", "0x8086\n", "0x8086\n"],
  ["one line without an end", "0x8086", "0x8086"],
  ["an empty line", "\n", "\n"],
  ["several lines", "a\nb\n", ["a", "b", ""]],
  ["several lines without an end", "a\nb", ["a", "b"]],
  ["an empty line first", "\na", ["", "a"]],
  ["empty lines only", "\n\n", ["", "", ""]],
  ["tabs and other scripts", "Größe\t1\n", "Größe\t1\n"],
  ["a byte order mark", "\ufeffa", "\ufeffa"],
  ["zero bytes", "a\0", { base64: ["YQA="] }],
  ["a carriage return", "a\r\n", { base64: ["YQ0K"] }],
  ["an escape code", "\u001b[31m", { base64: ["G1szMW0="] }],
  ["a line separator", "a\u2028b", { base64: ["YeKAqGI="] }],
  ["broken UTF-8", Uint8Array.of(0xc3, 0x28), { base64: ["wyg="] }],
  ["more than a line of bytes", new Uint8Array(50), { base64: ["A".repeat(64), "AAA="] }],
];
for (const [what, input, expected] of rows) {
  test(`encodeContent() of ${what}, and back`, () => {
    const bytes = typeof input === "string" ? Buffer.from(input) : input;
    const content = encodeContent(bytes);
    assert.equal(content, expected);
    const back = decodeContent(JSON.parse(JSON.stringify(content)));
    assert.equal(back && [...back], bytes && [...bytes]);
  });
}

test("decodeContent() returns any bytes that were encoded", () => {
  for (let length = 0; length < 300; length += 7) {
    const bytes = Buffer.from(Array.from({ length }, (_, index) => (index * 37 + length) & 0xff));
    assert.equal([...(decodeContent(encodeContent(bytes)) ?? [])], [...bytes]);
  }
});

test.run();
