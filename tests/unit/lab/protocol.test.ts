// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { encodeLine, encodeSetup, encodeStart, lineSplitter, parseGuestLine } from "../../../lab/protocol.ts";

/** The header's words and the strings behind it; the length must be exact. */
function decode(message: Buffer): { verb: string; strings: string[] } {
  const end = message.indexOf(10);
  const [verb = "", length] = message.toString("utf8", 0, end).split(" ");
  const payload = message.subarray(end + 1);
  assert.is(Number(length), payload.length);
  assert.is(payload.at(-1), 0);
  return { verb, strings: payload.toString().split("\0").slice(0, -1) };
}

test("encodeStart() keeps arguments and environment as they are", () => {
  const message = encodeStart({
    command: ["echo", "", "a b", "x\ny", "é=1"],
    env: { A: "1", EMPTY: "", LINES: "a\nb=c" },
    cwd: "/some where",
    stdinBase: 7,
  });
  assert.equal(decode(message), {
    verb: "start",
    strings: [
      ...["arg=echo", "arg=", "arg=a b", "arg=x\ny", "arg=é=1"],
      ...["env=A=1", "env=EMPTY=", "env=LINES=a\nb=c", "cwd=/some where", "stdin=7"],
    ],
  });
});

test("encodeStart() asks for a terminal of that size", () => {
  const terminal = { rows: 40, columns: 100 };
  const { strings } = decode(encodeStart({ command: ["sh"], env: {}, cwd: "/", stdinBase: 0, terminal }));
  assert.is(strings.at(-1), "tty=40x100");
});

test("encodeStart() refuses a NUL, which would cut an argument in two", () => {
  const start = { command: ["a\0b"], env: {}, cwd: "/", stdinBase: 0 };
  assert.throws(() => encodeStart(start), RangeError);
});

test("encodeSetup() tells the time, shares and drives", () => {
  const setup = { shares: [{ tag: "share0", path: "/a:b" }], driveSerials: ["S"] };
  assert.equal(decode(encodeSetup(setup, 1234.5)), {
    verb: "setup",
    strings: ["clock=1235", "share=share0:/a:b", "drive=S"],
  });
});

test("encodeLine() joins words", () => {
  assert.is(encodeLine("poweroff").toString(), "poweroff\n");
  assert.is(encodeLine("size", 24, 80).toString(), "size 24 80\n");
});

test("parseGuestLine() reads every message", () => {
  assert.equal(parseGuestLine("hello 1"), { kind: "hello", version: 1 });
  assert.equal(parseGuestLine("ready"), { kind: "ready" });
  assert.equal(parseGuestLine("fatal root: no such device"), { kind: "fatal", text: "root: no such device" });
  const counts = { stdoutBytes: 5_000_000_000, stderrBytes: 0 };
  assert.equal(parseGuestLine("exit 3 5000000000 0"), { kind: "exit", status: 3, ...counts });
  assert.equal(parseGuestLine("signal 9 5000000000 0"), { kind: "signal", status: 9, ...counts });
});

for (const line of ["", "exit", "exit 1 2", "exit x 0 0", "what 1", "hello"]) {
  test(`parseGuestLine() rejects ${JSON.stringify(line)}`, () => {
    assert.throws(() => parseGuestLine(line), RangeError);
  });
}

test("lineSplitter() joins what arrives in pieces", () => {
  const lines: string[] = [];
  const push = lineSplitter((line) => lines.push(line));
  const bytes = Buffer.from("one\ntwo é\n\nlast");
  for (const byte of bytes) push(Buffer.from([byte]));
  assert.equal(lines, ["one", "two é", ""]);
  push(Buffer.from("\n"));
  assert.is(lines.at(-1), "last");
});

test.run();
