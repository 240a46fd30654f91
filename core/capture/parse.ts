// SPDX-License-Identifier: MIT
import * as v from "valibot";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { CapturedView } from "./captured-view.ts";
import { decodeContent } from "./content.ts";
import { type Answers, type CaptureDocument, captureLimits, noAnswers } from "./format.ts";
import { findShapeProblem } from "./json-shape.ts";
import { findParentageProblem } from "./parentage.ts";
import { documentSchema } from "./schema.ts";

export interface ParsedCapture {
  readonly view: CapturedView;
  readonly createdWith: string;
  readonly kernel: string | null;
  readonly identifiers: "hashed" | "plain";
}

/** Longer places are cut: a path may have 4096 characters. */
const PLACE_LENGTH = 200;

/**
 * Reads a capture file, which comes from a stranger.
 * @param name of the file, for messages
 * @throws P2pdmaError BAD_CAPTURE, naming the place
 */
export function parseCapture(bytes: Uint8Array, name: string): ParsedCapture {
  const bad = (place: readonly unknown[], problem: string) => badCapture(name, place, problem);
  if (bytes.length > captureLimits.fileBytes) {
    throw bad([], `it is longer than ${captureLimits.fileBytes >> 20} MiB`);
  }
  const text = decodeText(bytes);
  if (text === undefined) throw bad([], "it is no UTF-8 text");
  const shape = findShapeProblem(text);
  if (shape) throw bad(shape.place, shape.problem);
  const { output, issues } = v.safeParse(documentSchema, parseJson(text, bad), { abortEarly: true });
  if (issues) throw bad(issues[0].path?.map(({ key }) => key) ?? [], issues[0].message);
  const answers = collectAnswers(output, bad);
  const parentage = findParentageProblem(answers);
  if (parentage) throw bad(["links", parentage.path], parentage.problem);
  const { createdWith, kernel, identifiers } = output;
  return { view: new CapturedView(answers), createdWith, kernel, identifiers };
}

export function badCapture(name: string, place: readonly unknown[], problem: string): P2pdmaError {
  const where = place.map(quote).join(" ");
  return new P2pdmaError(
    "BAD_CAPTURE",
    ExitCode.usage,
    `Cannot use capture ${quote(name)}: ${where ? `${where}: ` : ""}${problem}`,
    { hint: "p2pdma capture -o FILE makes a new one" },
  );
}

type Bad = (place: readonly unknown[], problem: string) => P2pdmaError;

function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** The parser's own message quotes what it found, so only its position is used. */
function parseJson(text: string, bad: Bad): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const position = /at position (\d+)/.exec(error instanceof Error ? error.message : "")?.[1];
    const line = position && text.slice(0, Number(position)).split("\n").length;
    throw bad([], line ? `it is no JSON from line ${line} on` : "it is no JSON");
  }
}

function collectAnswers(document: v.InferOutput<typeof documentSchema>, bad: Bad): Answers {
  const { files, lists, links } = document;
  const answers = noAnswers();
  for (const [path, content] of Object.entries(files) as [string, CaptureDocument["files"][string]][]) {
    const bytes = decodeContent(content);
    if (bytes && bytes.length > captureLimits.contentBytes) {
      throw bad(["files", path], `it is longer than ${captureLimits.contentBytes >> 20} MiB`);
    }
    answers.files.set(path, bytes);
  }
  let entries = Object.keys(files).length + Object.keys(lists).length + Object.keys(links).length;
  for (const [path, names] of Object.entries(lists)) {
    entries += names.length;
    if (entries > captureLimits.entries)
      throw bad(["lists", path], `more than ${captureLimits.entries} entries`);
    answers.lists.set(path, names);
  }
  for (const [path, real] of Object.entries(links)) answers.links.set(path, real ?? undefined);
  return answers;
}

/** Printable on any terminal. */
function quote(part: unknown): string {
  const text = String(part);
  const cut = text.length > PLACE_LENGTH ? `${text.slice(0, PLACE_LENGTH)}…` : text;
  return JSON.stringify(cut).replace(
    /[^\x20-\x7e…]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
