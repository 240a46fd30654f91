// SPDX-License-Identifier: MIT
import { usageError } from "../core/errors.ts";

/** A line of the shell cut into words, as far as it goes. */
export interface SplitLine {
  /** Without quotes; the last may be unfinished. */
  readonly words: readonly string[];
  /** Where the last word begins in the line; its end when the line ends between words. */
  readonly lastStart: number;
  /** The quote that is still open at the end. */
  readonly openQuote: '"' | "'" | undefined;
  /** The line ends with a lone backslash. */
  readonly isEscaping: boolean;
}

interface State {
  readonly words: string[];
  /** Undefined between words. */
  word: string | undefined;
  start: number;
  quote: '"' | "'" | undefined;
  isEscaping: boolean;
}

/**
 * Cuts a line the way of a POSIX shell, without its expansions: blanks separate, '…' takes all literally, "…" all but
 * \" and \\, a backslash takes the next character literally, and # at the start of a word begins a comment.
 */
export function splitLine(line: string): SplitLine {
  const state: State = {
    words: [],
    word: undefined,
    start: line.length,
    quote: undefined,
    isEscaping: false,
  };
  for (let index = 0; index < line.length; index++) {
    const char = line.charAt(index);
    if (char === "#" && state.word === undefined) break;
    take(state, char, index);
  }
  const { words, word, quote: openQuote, isEscaping } = state;
  const lastStart = word === undefined ? line.length : state.start;
  return { words: word === undefined ? words : [...words, word], lastStart, openQuote, isEscaping };
}

/** The words of a whole line. @throws P2pdmaError USAGE when a quote is left open */
export function wordsOf(line: string): readonly string[] {
  const { words, openQuote, isEscaping } = splitLine(line);
  if (openQuote) throw usageError(`The quote ${openQuote} is not closed`, "a command is one line");
  if (isEscaping) throw usageError("The line ends with a backslash", "a command is one line");
  return words;
}

function take(state: State, char: string, index: number): void {
  if (state.isEscaping) {
    const isLiteral = state.quote === '"' && char !== '"' && char !== "\\";
    state.word = `${state.word ?? ""}${isLiteral ? "\\" : ""}${char}`;
    state.isEscaping = false;
  } else if (state.quote) {
    if (char === state.quote) state.quote = undefined;
    else if (char === "\\" && state.quote === '"') state.isEscaping = true;
    else state.word += char;
  } else if (/\s/.test(char)) {
    if (state.word !== undefined) state.words.push(state.word);
    state.word = undefined;
  } else {
    if (state.word === undefined) state.start = index;
    state.word ??= "";
    if (char === '"' || char === "'") state.quote = char;
    else if (char === "\\") state.isEscaping = true;
    else state.word += char;
  }
}

/** A word as it can be typed, inside the quote that is open already. */
export function quoteWord(word: string, openQuote?: '"' | "'"): string {
  if (openQuote === "'") return word.replaceAll("'", "'\\''");
  if (openQuote === '"') return word.replace(/["\\]/g, "\\$&");
  return word.replace(/[\s"'\\]|^#/g, "\\$&");
}
