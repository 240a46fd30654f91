// SPDX-License-Identifier: MIT
import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  Parser,
} from "yaml";
import { ExitCode } from "../exit-codes.ts";
import { type Place, PlanError, type PlanPath } from "./problems.ts";

/** A plan's text, read, with the way back from a value to its line and column. */
export interface PlanDocument {
  readonly file: string;
  readonly value: unknown;
  /** @param part of a map's entry: where its key stands, or its value. */
  placeOf(path: PlanPath, part?: "key" | "value"): Place;
}

const MAX_BYTES = 4 << 20;
/** A plan needs 6; what composes a document is recursive and would run out of stack. */
const MAX_NESTING = 32;
const MAX_ALIASES = 100;
const START: Place = { line: 1, column: 1 };

/**
 * Reads YAML 1.2: one document, string keys, no tags of its own.
 * @throws PlanError for anything else, with positions; never anything worse, whatever the text.
 */
export function parsePlanText(text: string, file: string): PlanDocument {
  const fail = (message: string, place = START) =>
    new PlanError(file, [{ path: [], place, message, exitCode: ExitCode.usage }]);
  if (text.length > MAX_BYTES) throw fail(`a plan has at most ${MAX_BYTES} characters`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what makes a file binary
  if (/[\0-\x08\x0e-\x1f\ufffd]/.test(text)) throw fail("this is no text in UTF-8");
  const lines = new LineCounter();
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  const deep = tooDeep(tokens);
  if (deep !== undefined) throw fail(`nested deeper than ${MAX_NESTING} levels`, at(deep));
  const [document, second] = [...new Composer({ stringKeys: true }).compose(tokens)];
  if (!document) throw fail("the plan is empty");
  if (second) throw fail("a plan is one YAML document", at(second.range[0]));
  const wrong = [...document.errors, ...document.warnings];
  if (wrong.length > 0) {
    throw new PlanError(
      file,
      wrong.map(({ message, pos }) => ({
        ...{ path: [], place: at(pos[0]), message, exitCode: ExitCode.usage },
      })),
    );
  }
  const value = toValue(document, fail);
  return { file, value, placeOf: (path, part) => at(offsetOf(document, path, part ?? "value")) };
}

function toValue(document: Document, fail: (message: string) => PlanError): unknown {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    throw fail(error instanceof ReferenceError ? error.message : "can't be read");
  }
  if (isCyclic(value, [])) throw fail("an anchor contains itself");
  return value;
}

/** Offset of the first collection that lies too deep. Not recursive, as the text may be hostile. */
function tooDeep(tokens: readonly CST.Token[]): number | undefined {
  const stack: { token: CST.Token | null | undefined; depth: number }[] = tokens.map((token) => ({
    ...{ token, depth: 0 },
  }));
  for (let top = stack.pop(); top; top = stack.pop()) {
    const { token, depth } = top;
    if (!token) continue;
    if (token.type === "document") stack.push({ token: token.value, depth });
    if (!("items" in token)) continue;
    if (depth >= MAX_NESTING) return token.offset;
    for (const { key, value } of token.items) {
      stack.push({ token: key, depth: depth + 1 }, { token: value, depth: depth + 1 });
    }
  }
  return undefined;
}

function isCyclic(value: unknown, above: readonly unknown[]): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (above.includes(value)) return true;
  return Object.values(value).some((part) => isCyclic(part, [...above, value]));
}

/** As far as the path can be followed. */
function offsetOf(document: Document, path: PlanPath, part: "key" | "value"): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [depth, step] of path.entries()) {
    const parent = isAlias(node) ? node.resolve(document) : node;
    const isLast = depth === path.length - 1;
    if (isSeq(parent)) {
      node = parent.items[Number(step)];
    } else if (isMap(parent)) {
      const entry = parent.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step),
      );
      node = isLast && part === "key" ? entry?.key : (entry?.value ?? entry?.key);
    } else {
      return offset;
    }
    offset = startOf(node) ?? offset;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}
