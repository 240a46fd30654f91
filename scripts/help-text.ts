// SPDX-License-Identifier: MIT
// The text behind the options of a command's --help, as sections of its manual page.
import { escapeText, paragraph, verbatim } from "./roff.ts";

export interface HelpText {
  /** Roff, all of these; empty where there is none. */
  readonly description: string;
  readonly sections: readonly { readonly title: string; readonly body: string }[];
  readonly notes: string;
  readonly exitCodes: string;
}

/** `Title:` alone in its line, with indented lines below. */
const TITLE = /^([A-Z][^:\n]*):\n(?= )/;
const EXIT_CODES = /^(Exit codes?|It ends with)\b/;

/**
 * Paragraphs before the first titled block describe, those behind it are notes. A block that is
 * indented belongs to the title above it.
 */
export function readHelpText(text: string): HelpText {
  const sections: { title: string; body: string }[] = [];
  const parts = { description: "", notes: "", exitCodes: "" };
  for (const block of text.split(/\n{2,}/).map((part) => part.replace(/^\n+|\s+$/g, ""))) {
    const title = TITLE.exec(block)?.[1];
    const last = sections.at(-1);
    if (block === "" || title === "Exit codes") continue;
    if (title) sections.push({ title, body: readIndented(block.slice(title.length + 2)) });
    else if (last && block.startsWith("  ")) last.body += `\n${readIndented(block)}`;
    else {
      const place = EXIT_CODES.test(block) ? "exitCodes" : last ? "notes" : "description";
      parts[place] += `${parts[place] && "\n"}${readParagraph(block)}`;
    }
  }
  return { ...parts, sections };
}

/** Two blanks are a caption, or lines to type; four are lines to type below a caption. */
function readIndented(block: string): string {
  const lines = block.split("\n");
  const isCaptioned = lines.some((line) => line.startsWith("    ")) && /[:?]$/.test(lines[0] ?? "");
  if (!isCaptioned) return verbatim(lines.map((line) => line.slice(2)));
  const captions = lines.filter((line) => !line.startsWith("    ")).map((line) => line.trim());
  return `${paragraph(captions.join(" "))}\n${verbatim(lines.filter((line) => line.startsWith("    ")).map((line) => line.slice(4)))}`;
}

/** Flowing text; lines in it that are indented keep their breaks. */
function readParagraph(block: string): string {
  const out: string[] = [".PP"];
  let kept: string[] = [];
  for (const line of [...block.split("\n"), ""]) {
    if (line.startsWith("  ")) {
      kept.push(line.slice(2));
      continue;
    }
    if (kept.length > 0) out.push(verbatim(kept), ".PP");
    kept = [];
    if (line !== "") out.push(escapeText(line));
  }
  return out.at(-1) === ".PP" ? out.slice(0, -1).join("\n") : out.join("\n");
}
