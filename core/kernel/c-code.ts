// SPDX-License-Identifier: MIT
// Just enough of a look at C to tell code from comments, and one function from the next. It relies on
// the kernel's style: definitions start in the first column, and so does the brace that ends them.

/** A definition found in a file. */
export interface Definition {
  /** Counted from 1. */
  readonly line: number;
  /** What is between the parentheses of a function; empty for other things. */
  readonly parameters: string;
  /** What is between the braces. */
  readonly body: string;
}

const COMMENT_OR_LITERAL =
  /\/\*[\s\S]*?(?:\*\/|$)|\/\/(?:\\\n|[^\n])*|"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'/g;

/** The same text with comments and what stands below `#if 0` blanked out; lines keep their numbers. */
export function codeOf(text: string): string {
  const code = text.replace(COMMENT_OR_LITERAL, (found) => (found.startsWith("/") ? blank(found) : found));
  return withoutDisabled(code);
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, " ");
}

function withoutDisabled(code: string): string {
  if (!/^[ \t]*#[ \t]*if[ \t]+0\b/m.test(code)) return code;
  // For each open conditional: whether its present branch is compiled.
  const open: boolean[] = [];
  return code
    .split("\n")
    .map((line) => {
      const [, directive, condition = ""] =
        /^\s*#\s*(if|ifdef|ifndef|elif|else|endif)\b(.*)$/.exec(line) ?? [];
      if (directive === "endif") open.pop();
      else if (directive === "else" || directive === "elif") open[open.length - 1] = true;
      else if (directive) open.push(!(directive === "if" && /^\s+0\s*$/.test(condition)));
      return open.every(Boolean) ? line : "";
    })
    .join("\n");
}

/** Finds the definition of a function; prototypes and calls do not count. `code` is what codeOf() gives. */
export function findFunction(code: string, name: string): Definition | undefined {
  const head = new RegExp(`^(?![ \\t])(?:[^\\n;={}#]*?[^\\w\\n])?(${escaped(name)})\\s*\\(`, "gm");
  for (const match of code.matchAll(head)) {
    const from = match.index + match[0].length;
    const to = closing(code, from, "(", ")");
    if (to === undefined) continue;
    // Attributes such as __must_hold(lock) stand between the parameters and the body.
    const brace = /^(?:\s*__\w+(?:\([^()]*\))?)*\s*\{/.exec(code.slice(to + 1, to + 400));
    if (!brace) continue;
    const start = to + 1 + brace[0].length;
    return {
      line: lineAt(code, match.index + match[0].indexOf(name)),
      parameters: code.slice(from, to),
      body: code.slice(start, endOfBody(code, start)),
    };
  }
  return undefined;
}

/** Finds `NAME = {` or `NAME[] = {` with what it is initialised with. */
export function findInitialiser(code: string, name: string): Definition | undefined {
  const match = new RegExp(`\\b${escaped(name)}\\s*(?:\\[[^\\]]*\\]\\s*)?=\\s*\\{`).exec(code);
  if (!match) return undefined;
  const start = match.index + match[0].length;
  return { line: lineAt(code, match.index), parameters: "", body: code.slice(start, endOfBody(code, start)) };
}

/** Conditional compilation can leave braces unbalanced: a brace in the first column ends it in any case. */
function endOfBody(code: string, start: number): number {
  const column = code.indexOf("\n}", start - 1);
  const balanced = closing(code, start, "{", "}") ?? code.length;
  return column < 0 ? balanced : Math.min(column + 1, balanced);
}

/** Where what was opened just before `from` is closed. */
function closing(code: string, from: number, open: string, close: string): number | undefined {
  let depth = 1;
  for (let at = from; at < code.length; at++) {
    if (code[at] === open) depth++;
    else if (code[at] === close && --depth === 0) return at;
  }
  return undefined;
}

export function lineAt(text: string, index: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < index; at = text.indexOf("\n", at + 1)) line++;
  return line;
}

function escaped(name: string): string {
  return name.replace(/[^\w]/g, "\\$&");
}
