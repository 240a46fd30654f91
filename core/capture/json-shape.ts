// SPDX-License-Identifier: MIT
import { captureLimits } from "./format.ts";

/** What is wrong with the shape of a JSON text, and where. */
export interface ShapeProblem {
  readonly place: readonly string[];
  readonly problem: string;
}

interface Level {
  /** Keys seen so far; undefined in an array. */
  readonly keys: Set<string> | undefined;
  key: string | undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Looks over a JSON text before it is parsed: nesting, number of values, and keys
 * that appear twice, of which a parser would silently take the last. Whether it
 * is JSON at all is the parser's business.
 */
export function findShapeProblem(text: string): ShapeProblem | undefined {
  const levels: Level[] = [];
  let values = 0;
  let entries = 0;
  let expectsKey = false;
  const found = (problem: string): ShapeProblem => ({
    place: levels.flatMap(({ key }) => (key === undefined ? [] : [key])),
    problem,
  });
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = endOfString(text, at);
        const level = levels.at(-1);
        if (expectsKey && level?.keys) {
          level.key = unquote(text.slice(at, end + 1));
          if (level.keys.has(level.key)) return found("it is there twice");
          level.keys.add(level.key);
          if (++entries > captureLimits.entries) return found(`more than ${captureLimits.entries} entries`);
        }
        expectsKey = false;
        at = end;
        break;
      }
      case 0x7b: // {
      case 0x5b: // [
        expectsKey = text.charCodeAt(at) === 0x7b;
        levels.push({ keys: expectsKey ? new Set() : undefined, key: undefined });
        if (levels.length > captureLimits.depth)
          return found(`nested more than ${captureLimits.depth} levels deep`);
        break;
      case 0x7d: // }
      case 0x5d: // ]
        levels.pop();
        break;
      case 0x2c: // ,
        expectsKey = levels.at(-1)?.keys !== undefined;
        if (++values > captureLimits.values) return found(`more than ${captureLimits.values} values`);
        break;
    }
  }
  return undefined;
}

function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}

function unquote(literal: string): string {
  if (!literal.includes("\\")) return literal.slice(1, -1);
  try {
    return String(JSON.parse(literal));
  } catch {
    return literal;
  }
}
