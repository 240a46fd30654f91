// SPDX-License-Identifier: MIT
// Finds the commands in a document: ```console blocks, in which a line of `$ ` is typed and the rest is printed.
import { DEFAULT_DIRECTIVE, type Directive, parseDirective } from "./directive.ts";

export interface Step {
  readonly line: number;
  /** As it stands in the text, continuation lines included. */
  readonly command: string;
  readonly output: readonly string[];
  readonly exitCode: number;
}

export interface Block {
  readonly document: string;
  readonly line: number;
  readonly directive: Directive;
  readonly steps: readonly Step[];
}

export interface Document {
  readonly blocks: readonly Block[];
  /** Commands in blocks that are not marked as such, and directives that make no sense. */
  readonly problems: readonly string[];
}

const COMMAND =
  /^(\$ |(sudo|p2pdma|npm|npx|node|make|git|apt-get|tar|cd|fio|docker|podman|buildah|systemctl|curl|deno|bash) )/;
const OTHER_SHELLS = new Set(["sh", "bash", "shell", "zsh", "fish", "terminal", "shell-session"]);

export function readDocument(document: string, text: string): Document {
  const reader = new Reader(document);
  text.split("\n").forEach((line, index) => {
    reader.take(line, index + 1);
  });
  return reader;
}

interface Fence {
  readonly marker: string;
  readonly language: string;
  readonly line: number;
  readonly lines: string[];
}

class Reader implements Document {
  readonly blocks: Block[] = [];
  readonly problems: string[] = [];
  private inherited: Directive = DEFAULT_DIRECTIVE;
  private directive: Directive | undefined;
  private fence: Fence | undefined;
  private comment: string[] | undefined;

  constructor(private readonly document: string) {}

  take(line: string, number: number): void {
    if (this.fence) this.takeFenced(line, this.fence);
    else if (this.comment) this.takeComment(line, number);
    else this.takeText(line, number);
  }

  private takeText(line: string, number: number): void {
    const [, marker, language = ""] = /^\s*(```+|~~~+)\s*([\w-]*)/.exec(line) ?? [];
    if (marker !== undefined) {
      this.fence = { marker, language, line: number, lines: [] };
    } else if (line.startsWith("<!--")) {
      this.comment = [];
      this.takeComment(line.slice("<!--".length), number);
    } else if (line.trim() !== "") {
      this.directive = undefined;
    }
  }

  private takeComment(line: string, number: number): void {
    const end = line.indexOf("-->");
    this.comment?.push(end < 0 ? line : line.slice(0, end));
    if (end < 0 || !this.comment) return;
    const comment = this.comment.join("\n");
    this.comment = undefined;
    this.guard(number, () => {
      const read = parseDirective(comment, this.inherited);
      if (comment.trimStart().startsWith("document:")) this.inherited = read ?? this.inherited;
      else this.directive = read ?? this.directive;
    });
  }

  private takeFenced(line: string, fence: Fence): void {
    if (line.trim() !== fence.marker) {
      fence.lines.push(line);
      return;
    }
    this.fence = undefined;
    const { directive = this.inherited } = this;
    this.directive = undefined;
    this.guard(fence.line, () => this.close(fence, directive));
  }

  private close({ language, line, lines }: Fence, directive: Directive): void {
    if (language === "console") {
      const steps = readSteps(lines, line, directive);
      this.blocks.push({ document: this.document, line, directive, steps });
    } else if (OTHER_SHELLS.has(language)) {
      throw new Error(`commands stand in \`\`\`console blocks, behind "$ ", not in \`\`\`${language}`);
    } else if (language === "" && lines.some((text) => COMMAND.test(text))) {
      throw new Error("these look like commands: they belong into a ```console block, behind `$ `");
    }
  }

  private guard(line: number, read: () => void): void {
    try {
      read();
    } catch (error) {
      this.problems.push(`${this.document}:${line}: ${(error as Error).message}`);
    }
  }
}

function readSteps(lines: readonly string[], start: number, { exitCodes, typed }: Directive): Step[] {
  const steps: { line: number; command: string; output: string[] }[] = [];
  let isOpen = false;
  lines.forEach((text, index) => {
    const step = steps.at(-1);
    if (isOpen && step) step.command += `\n${text.replace(/^> /, "")}`;
    else if (text.startsWith("$ ") && steps.length < typed)
      steps.push({ line: start + 1 + index, command: text.slice(2), output: [] });
    else if (step) step.output.push(text);
    else if (text.trim() !== "") throw new Error(`a block of commands begins with "$ ", not with "${text}"`);
    isOpen = steps.at(-1)?.output.length === 0 && isContinued(steps.at(-1)?.command ?? "");
  });
  if (steps.length === 0) throw new Error("a block of commands without a command");
  if (exitCodes.length > 1 && exitCodes.length !== steps.length) {
    throw new Error(`${exitCodes.length} exit codes for ${steps.length} commands`);
  }
  return steps.map((step, index) => ({
    ...step,
    output: trimmed(step.output),
    exitCode: exitCodes[exitCodes.length > 1 ? index : 0] ?? 0,
  }));
}

/** A backslash at the end, or a here-document that is still to come to its end. */
function isContinued(command: string): boolean {
  const [, word] = /<<-?\s*'?(\w+)'?/.exec(command) ?? [];
  return command.endsWith("\\") || (word !== undefined && !new RegExp(`^${word}$`, "m").test(command));
}

function trimmed(lines: readonly string[]): string[] {
  const last = lines.findLastIndex((line) => line.trim() !== "");
  return lines.slice(0, last + 1);
}
