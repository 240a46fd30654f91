// SPDX-License-Identifier: MIT
import { deflateRawSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkClaims } from "./claims.ts";

const source = Buffer.from("aaaabbbbccccdd");

function journal(bits: number[], over: object = {}): string {
  return JSON.stringify({
    state: "running",
    range: { srcOffset: "100", dstOffset: "200", lengthBytes: "14" },
    chunkBytes: 4,
    data: [["100", "14"]],
    bitmap: deflateRawSync(Buffer.from(bits)).toString("base64"),
    ...over,
  });
}

const check = (text: string, destination: string) =>
  checkClaims(text, { source, destination: Buffer.from(destination), srcBase: 100, dstBase: 200 });

test("checkClaims() finds the chunk that is claimed and not there", () => {
  const { lies, claimed, chunks } = check(journal([0b0111]), "aaaaXXXXccccdd");
  assert.equal({ lies, claimed, chunks }, { lies: ["104+4"], claimed: 3, chunks: 4 });
});

test("checkClaims() counts what is there unclaimed as repeated, the last short chunk included", () => {
  const { lies, repeated } = check(journal([0b0001]), "aaaaXXXXXXXXdd");
  assert.equal({ lies, repeated }, { lies: [], repeated: 1 });
});

test("checkClaims() holds a finished copy to all of its range", () => {
  const done = { state: "done", data: [], bitmap: deflateRawSync(Buffer.alloc(0)).toString("base64") };
  assert.is(check(journal([], done), "aaaabbbbccccdd").lies.length, 0);
  assert.is(check(journal([], done), "aaaabbbbccccdX").lies.length, 1);
});

test("checkClaims() counts chunks over the extents of the data", () => {
  const extents = {
    data: [
      ["100", "2"],
      ["104", "6"],
    ],
  };
  const { chunks, lies } = check(journal([0b101], extents), "aaXXbbbbccXXXX");
  assert.equal({ chunks, lies }, { chunks: 3, lies: [] });
});

test.run();
