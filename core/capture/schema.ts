// SPDX-License-Identifier: MIT
import { posix } from "node:path";
import * as v from "valibot";
import { CAPTURE_SCHEMA, captureLimits } from "./format.ts";

// Messages are our own throughout: valibot's quote what they found, and that may be a terminal's escape codes.

const BASE64_LINE = /^[A-Za-z0-9+/]*={0,2}$/;

const path = v.pipe(
  v.string("a path must be a string"),
  v.maxLength(captureLimits.pathLength, `a path is longer than ${captureLimits.pathLength} characters`),
  v.check(isPlainPath, "a path must be absolute, without . and .., //, a / at its end or control characters"),
);

const name = v.pipe(
  v.string("a name must be a string"),
  v.maxLength(captureLimits.nameLength, `a name is longer than ${captureLimits.nameLength} characters`),
  v.check(isPlainName, "a name in a directory can't be empty, . or .., or contain a / or control characters"),
);

const nothing = v.null();
const text = v.string();
const lines = v.array(v.string("a line must be a string"), "lines must be an array");

const base64 = v.object(
  {
    base64: v.array(
      v.pipe(v.string("a line must be a string"), v.regex(BASE64_LINE, "a line is no base64")),
      "base64 must be an array of lines",
    ),
  },
  'content must be text, an array of lines, {"base64": [...]} or null',
);

/** Picked by what it is, since a union could not say what is wrong with the member that was meant. */
const content = v.lazy((input) => {
  if (input === null) return nothing;
  if (typeof input === "string") return text;
  return Array.isArray(input) ? lines : base64;
});

/** An array would pass for a record. */
function answers<T extends v.GenericSchema>(value: T, what: string) {
  const message = `${what} must be an object`;
  return v.pipe(
    v.unknown(),
    v.check((input) => !Array.isArray(input), message),
    v.record(path, value, message),
  );
}

/** Unknown keys are left out: a later version may add some. */
export const documentSchema = v.object(
  {
    schema: v.literal(CAPTURE_SCHEMA, `this program reads "${CAPTURE_SCHEMA}" only`),
    createdWith: v.pipe(v.string("it must be a string"), v.maxLength(256, "it is too long")),
    kernel: v.nullable(
      v.pipe(v.string("it must be a string or null"), v.maxLength(256, "it is too long")),
      null,
    ),
    identifiers: v.picklist(["hashed", "plain"], 'it must be "hashed" or "plain"'),
    files: answers(content, "files"),
    lists: answers(v.array(name, "a list must be an array of names"), "lists"),
    links: answers(v.nullable(path), "links"),
  },
  "it must be an object",
);

/** No file of the kernel's has them in its name, and terminals obey them. */
const CONTROLS = /\p{Cc}/u;

function isPlainPath(text: string): boolean {
  if (!text.startsWith("/") || CONTROLS.test(text)) return false;
  return text === "/" || (!text.endsWith("/") && posix.normalize(text) === text);
}

function isPlainName(text: string): boolean {
  return text !== "" && text !== "." && text !== ".." && !text.includes("/") && !CONTROLS.test(text);
}
