// SPDX-License-Identifier: MIT
// The few man(7) macros that our pages need.

/** Text that roff prints as it is, whatever it begins with. */
export function escapeText(text: string): string {
  const plain = text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("`", "\\(ga")
    .replaceAll("'", "\\(aq")
    .replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti")
    .replace(/[^\x20-\x7e\n]/gu, (letter) => `\\[u${hex(letter)}]`);
  return plain.replace(/^\./gm, "\\&.");
}

function hex(letter: string): string {
  return (letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
}

export function bold(text: string): string {
  return `\\fB${escapeText(text)}\\fR`;
}

export function italic(text: string): string {
  return `\\fI${escapeText(text)}\\fR`;
}

/** Empty when there is nothing in it. */
export function section(title: string, body: string): string {
  return body === "" ? "" : `.SH ${/ /.test(title) ? `"${title}"` : title}\n${body.replace(/^\.PP\n/, "")}`;
}

export function paragraph(text: string): string {
  return `.PP\n${escapeText(text)}`;
}

/** Both parts are roff already. */
export function definition(term: string, text: string): string {
  return `.TP\n${term}\n${text}`;
}

/** Lines that keep their breaks and blanks. */
export function verbatim(lines: readonly string[]): string {
  return [".PP", ".RS 4", ".EX", ...lines.map(escapeText), ".EE", ".RE"].join("\n");
}
