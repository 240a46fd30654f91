// SPDX-License-Identifier: MIT
import type { Content } from "./format.ts";

/** Bytes on one line of base64: 64 characters. */
const LINE_BYTES = 48;

/** Text where it is printable, so that two captures can be compared by eye and by diff. */
export function encodeContent(bytes: Uint8Array | undefined): Content {
  if (bytes === undefined) return null;
  const text = printable(bytes);
  if (text === undefined) return { base64: base64Lines(bytes) };
  return text.indexOf("\n") < text.length - 1 && text.includes("\n") ? text.split("\n") : text;
}

export function decodeContent(content: Content): Uint8Array | undefined {
  if (content === null) return undefined;
  if (typeof content === "string") return Buffer.from(content, "utf8");
  return "base64" in content
    ? Buffer.from(content.base64.join(""), "base64")
    : Buffer.from(content.join("\n"), "utf8");
}

function printable(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return /^[^\p{Cc}\p{Cs}\u2028\u2029]*$/u.test(text.replaceAll(/[\t\n]/g, "")) ? text : undefined;
  } catch {
    return undefined;
  }
}

function base64Lines(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += LINE_BYTES) {
    lines.push(Buffer.from(bytes.subarray(at, at + LINE_BYTES)).toString("base64"));
  }
  return lines;
}
