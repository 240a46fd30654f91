// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { captureLimits, noAnswers } from "../../../../core/capture/format.ts";
import { type ParsedCapture, parseCapture } from "../../../../core/capture/parse.ts";
import { writeCapture } from "../../../../core/capture/write.ts";
import { P2pdmaError } from "../../../../core/errors.ts";
import { readPciTree } from "../../../../core/pci/tree.ts";
import { machines } from "../../../fixtures/machines/index.ts";
import { captureText } from "../../machines.ts";

const parse = (text: string): ParsedCapture => parseCapture(Buffer.from(text), "x.json");

/** A small valid capture, changed. */
function document(over: object = {}): string {
  const whole = {
    ...{ schema: "p2pdma.capture/1", createdWith: "p2pdma 0.0.0", kernel: "6.12.0", identifiers: "hashed" },
    ...{ files: { "/a": "1\n" }, lists: { "/": ["a"] }, links: { "/b": "/a", "/c": null } },
  };
  return JSON.stringify({ ...whole, ...over });
}

function messageOf(text: string | Uint8Array): string {
  try {
    parseCapture(typeof text === "string" ? Buffer.from(text) : text, "x.json");
  } catch (error) {
    assert.instance(error, P2pdmaError);
    const { code, exitCode, message, hint } = error as P2pdmaError;
    assert.equal([code, exitCode], ["BAD_CAPTURE", 2]);
    assert.match(hint ?? "", "p2pdma capture");
    assert.match(message, /^Cannot use capture "x\.json": /);
    assert.match(message, /^[\x20-\x7e…]*$/, "printable on any terminal");
    return message.slice('Cannot use capture "x.json": '.length);
  }
  return "no error";
}

test("parseCapture() answers what was written", () => {
  const { view, kernel, createdWith, identifiers } = parse(document());
  assert.equal([kernel, createdWith, identifiers], ["6.12.0", "p2pdma 0.0.0", "hashed"]);
  assert.is(view.text("/a"), "1");
  assert.equal(view.list("/"), ["a"]);
  assert.is(view.resolve("/b"), "/a");
  assert.is(view.resolve("/c"), undefined);
  assert.is(view.bytes("/never-asked"), undefined);
});

test("parseCapture() is not misled by quotes and brackets in content", () => {
  const text = 'say "[[[[[[[[[[[[" and {{{{{{{{{{{{ \\" and \\\\';
  assert.is(parse(document({ files: { "/a": text, '/b"c': "", "/b": "," } })).view.text("/a"), text);
});

test("parseCapture() is content with keys that a later version may add", () => {
  assert.is(parse(document({ comment: "from the rack on the left" })).kernel, "6.12.0");
});

test("parseCapture() takes a kernel that could not be read", () => {
  assert.is(parse(document({ kernel: null })).kernel, null);
});

for (const machine of machines) {
  test(`writeCapture() of ${machine.name} is sorted, and what is read from it is written alike`, () => {
    const text = captureText(machine);
    const whole = JSON.parse(text) as Record<string, object>;
    for (const part of ["files", "lists", "links"]) {
      const keys = Object.keys(whole[part] ?? {});
      assert.equal(keys, [...keys].sort(), part);
      assert.ok(keys.length > 0, part);
    }
    assert.ok(text.split("\n").every((line) => line.length < 400));
    assert.is(whole.kernel as unknown, machine.kernel);
    assert.is(captureText(machine), text);
  });
}

test("writeCapture() does not depend on the order of the questions", () => {
  const answers = (paths: string[]) => {
    const all = noAnswers();
    for (const path of paths) all.files.set(path, Buffer.from(path));
    return writeCapture(all, { createdWith: "p2pdma 0.0.0" });
  };
  assert.is(answers(["/b", "/a", "/a/b"]), answers(["/a/b", "/a", "/b"]));
});

const function_ = (at: string) => `/sys/bus/pci/devices/${at}`;
const bad: [string, string, string][] = [
  ["no JSON", "hello", "it is no JSON"],
  ["half a document", document().slice(0, -10), "it is no JSON"],
  ["nothing", "", "it is no JSON"],
  ["an array", "[]", "it must be an object"],
  ["a number", "3", "it must be an object"],
  ["null", "null", "it must be an object"],
  [
    "another schema",
    document({ schema: "p2pdma.capture/2" }),
    '"schema": this program reads "p2pdma.capture/1" only',
  ],
  ["no schema", document({ schema: undefined }), '"schema": '],
  ["a wrong kernel", document({ kernel: 6.12 }), '"kernel": it must be a string or null'],
  ["a long kernel", document({ kernel: "6".repeat(257) }), '"kernel": it is too long'],
  ["wrong identifiers", document({ identifiers: "secret" }), '"identifiers": it must be "hashed" or "plain"'],
  ["files that are a list", document({ files: [] }), '"files": files must be an object'],
  ["files that are null", document({ files: null }), '"files": files must be an object'],
  ["no files", document({ files: undefined }), '"files": '],
  ["a number for content", document({ files: { "/a": 7 } }), '"files" "/a": content must be'],
  ["a true for content", document({ files: { "/a": true } }), '"files" "/a": content must be'],
  [
    "a line that is none",
    document({ files: { "/a": ["x", 7] } }),
    '"files" "/a" "1": a line must be a string',
  ],
  ["lines in lines", document({ files: { "/a": [["x"]] } }), '"files" "/a" "0": a line must be a string'],
  [
    "base64 that is none",
    document({ files: { "/a": { base64: ["*"] } } }),
    '"files" "/a" "base64" "0": a line is no base64',
  ],
  [
    "base64 in one piece",
    document({ files: { "/a": { base64: "AAAA" } } }),
    '"base64": base64 must be an array',
  ],
  ["an object for content", document({ files: { "/a": {} } }), '"files" "/a" "base64": '],
  ["a relative path", document({ files: { "sys/a": "" } }), '"files" "sys/a": a path must be absolute'],
  ["an empty path", document({ files: { "": "" } }), "a path must be absolute"],
  [
    "a path with ..",
    document({ links: { "/sys/../etc": null } }),
    '"links" "/sys/../etc": a path must be absolute',
  ],
  ["a path with .", document({ links: { "/sys/./a": null } }), "a path must be absolute"],
  ["a path with //", document({ lists: { "/sys//a": [] } }), "a path must be absolute"],
  ["a path with / at its end", document({ lists: { "/sys/": [] } }), "a path must be absolute"],
  ["a path with a zero byte", document({ files: { "/a\0b": "" } }), '"/a\\u0000b": a path must be absolute'],
  [
    "a long path",
    document({ files: { [`/${"a".repeat(4096)}`]: "" } }),
    "a path is longer than 4096 characters",
  ],
  ["a target with ..", document({ links: { "/a": "/sys/.." } }), '"links" "/a": a path must be absolute'],
  ["a target that is a number", document({ links: { "/a": 5 } }), '"links" "/a": a path must be a string'],
  [
    "a list that is a string",
    document({ lists: { "/": "a" } }),
    '"lists" "/": a list must be an array of names',
  ],
  ["a name with a /", document({ lists: { "/": ["a/b"] } }), '"lists" "/" "0": a name in a directory'],
  ["a name ..", document({ lists: { "/": [".."] } }), "a name in a directory can't be"],
  ["an empty name", document({ lists: { "/": [""] } }), "a name in a directory can't be"],
  ["a long name", document({ lists: { "/": ["a".repeat(256)] } }), "a name is longer than 255 characters"],
  [
    "a path twice",
    '{"schema":"p2pdma.capture/1","files":{"/a":"1","/a":"2"}}',
    '"files" "/a": it is there twice',
  ],
  [
    "a path twice, spelled differently",
    '{"files":{"/a":"1","\\u002fa":"2"}}',
    '"files" "/a": it is there twice',
  ],
  ["a part twice", '{"files":{},"files":{}}', '"files": it is there twice'],
  [
    "deep nesting",
    `{"files":{"/a":${"[".repeat(50)}${"]".repeat(50)}}}`,
    '"files" "/a": nested more than 8 levels deep',
  ],
  ["very deep nesting", `${"[".repeat(1e6)}${"]".repeat(1e6)}`, "nested more than 8 levels deep"],
  ["very deep objects", `${'{"a":'.repeat(1e5)}1${"}".repeat(1e5)}`, "nested more than 8 levels deep"],
  [
    "too long a file",
    document({ files: { "/a": "x".repeat((1 << 20) + 1) } }),
    '"files" "/a": it is longer than 1 MiB',
  ],
  [
    "escape codes in a path",
    document({ files: { "/\u001b[31m": 7 } }),
    '"files" "/\\u001b[31m": a path must be absolute',
  ],
  [
    "a function that is its own parent",
    document({ links: { [function_("0000:01:00.0")]: "/sys/devices/pci0000:00/0000:01:00.0/0000:01:00.0" } }),
    '"links" "/sys/bus/pci/devices/0000:01:00.0": 0000:01:00.0 is above it here, but lies elsewhere',
  ],
  [
    "two functions above each other",
    document({
      links: {
        [function_("0000:01:00.0")]: "/sys/devices/pci0000:00/0000:02:00.0/0000:01:00.0",
        [function_("0000:02:00.0")]: "/sys/devices/pci0000:00/0000:01:00.0/0000:02:00.0",
      },
    }),
    "0000:02:00.0 is above it here, but lies elsewhere",
  ],
  [
    "a circle of three",
    document({
      links: Object.fromEntries(
        ["1:2", "2:3", "3:1"].map((pair) => {
          const [own, above] = pair.split(":");
          return [
            function_(`0000:0${own}:00.0`),
            `/sys/devices/pci0000:00/0000:0${above}:00.0/0000:0${own}:00.0`,
          ];
        }),
      ),
    }),
    "is above it here, but lies elsewhere",
  ],
  [
    "a bridge on another root bus than its child",
    document({
      links: {
        [function_("0000:01:00.0")]: "/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0",
        [function_("0000:00:01.0")]: "/sys/devices/pci0000:80/0000:00:01.0",
      },
    }),
    "0000:00:01.0 is above it here, but lies elsewhere",
  ],
  [
    "a function at another one's place",
    document({ links: { [function_("0000:01:00.0")]: "/sys/devices/pci0000:00/0000:02:00.0" } }),
    "does not end in its own address",
  ],
];
for (const [what, text, message] of bad) {
  test(`parseCapture() refuses ${what}`, () => assert.match(messageOf(text), message));
}

test("parseCapture() names the line where JSON ends", () => {
  const text = JSON.stringify(JSON.parse(document()), null, 2).replace('"identifiers"', "identifiers");
  assert.match(messageOf(text), /^it is no JSON from line 5 on$/);
});

test("parseCapture() refuses what is no UTF-8", () => {
  assert.match(messageOf(Uint8Array.of(0x7b, 0xff, 0x7d)), "it is no UTF-8 text");
  assert.match(messageOf(Uint8Array.of(0x1f, 0x8b, 0x08, 0x00)), "it is no UTF-8 text");
});

test("parseCapture() refuses a file that is too long before it looks into it", () => {
  assert.match(messageOf(new Uint8Array(captureLimits.fileBytes + 1)), "it is longer than 64 MiB");
});

test("parseCapture() refuses too many paths, names and values", () => {
  const paths = Array.from({ length: captureLimits.entries + 1 }, (_, index) => `"/${index}":""`).join();
  assert.match(messageOf(`{"files":{${paths}}}`), "more than 1000000 entries");
  const names = `"n",`.repeat(captureLimits.entries);
  assert.match(
    messageOf(document({ lists: { "/": [] } }).replace("[]", `[${names}"m"]`)),
    "more than 1000000 entries",
  );
  const values = "1,".repeat(captureLimits.values + 1);
  assert.match(messageOf(`[${values}1]`), "more than 4000000 values");
});

test("parseCapture() does not take __proto__ for a path", () => {
  const { view } = parse(document().replace('"/a":"1\\n"', '"__proto__":"x","/a":"1\\n"'));
  assert.is(view.text("/a"), "1");
  assert.is(({} as Record<string, unknown>).x, undefined);
});

test("parseCapture() takes a machine whose bridge has no entry of its own", () => {
  const links = { [function_("0000:01:00.0")]: "/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0" };
  const { view } = parse(document({ links, lists: { "/sys/bus/pci/devices": ["0000:01:00.0"] } }));
  assert.is(readPciTree(view).functions.size, 1);
});

test.run();
