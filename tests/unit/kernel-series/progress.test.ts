// SPDX-License-Identifier: MIT
import { Writable } from "node:stream";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { createProgress } from "../../../kernel-series/progress.ts";

test("createProgress() writes a line at most every 15 seconds where there is no terminal", () => {
  let text = "";
  let ms = 0;
  const output = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      done();
    },
  });
  const progress = createProgress({ output, now: () => ms });
  for (; ms < 60_000; ms += 1000) progress.update("compiling", 0.1 + ms / 100_000);
  progress.stop();
  progress.stop();
  assert.is(
    text,
    [
      "kernel: 10% compiling\n",
      "kernel: 25% compiling, about 75 s left\n",
      "kernel: 40% compiling, about 60 s left\n",
      "kernel: 55% compiling, about 45 s left\n",
    ].join(""),
  );
});

test.run();
