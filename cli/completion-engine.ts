// SPDX-License-Identifier: MIT
import type { Argument, Command, Option } from "commander";

/** A word that could stand at the cursor. One that ends with `=` goes on, so no blank follows it. */
export interface Suggestion {
  readonly word: string;
  readonly about: string;
}

export interface Completion {
  readonly suggestions: readonly Suggestion[];
  /** Whether the shell should offer names of files or folders, too. */
  readonly paths: "none" | "files" | "folders";
}

/** Knows what can stand for an argument or behind an option of a command. */
export type ValueSource = (wanted: {
  /** Names of the subcommands down to this one: `["cmb", "show"]`. */
  readonly path: readonly string[];
  readonly of: Argument | Option;
  /** What was typed of the value so far. */
  readonly typed: string;
}) => Completion;

/** Whose devices are meant: this machine's, or those of a lab's topology where COMMAND of `lab run` is completed. */
export interface ValueSources {
  readonly here: ValueSource;
  inLab(topology: string | undefined): ValueSource;
}

/** What a command line says up to the cursor. */
interface Position {
  command: Command;
  path: string[];
  /** Arguments of `command` that are there already. */
  args: string[];
  /** An option whose value is the next word. */
  open: Option | undefined;
  /** Values that options have already, by their long flag. */
  given: Map<string, string>;
  /** Behind `--` or behind the first argument of a command that passes options through. */
  isPastOptions: boolean;
}

const NOTHING: Completion = { suggestions: [], paths: "none" };

/**
 * Completes a command line.
 * @param words all words behind the program's name; the last is the one at the cursor, possibly empty
 */
export function completeWords(program: Command, words: readonly string[], sources: ValueSources): Completion {
  const typed = words.at(-1) ?? "";
  const at = walk(program, words.slice(0, -1));
  const nested = nestedWords(at, typed);
  if (nested) {
    const here = sources.inLab(at.given.get("--topology"));
    return completeWords(program, nested, { ...sources, here });
  }
  return startingWith(typed, candidates(at, typed, sources.here));
}

function candidates(at: Position, typed: string, values: ValueSource): Completion {
  const { path } = at;
  if (at.open) return values({ path, of: at.open, typed });
  if (!at.isPastOptions && typed.startsWith("-")) return optionCandidates(at, typed, values);
  const argument = argumentAt(at);
  const own = argument ? values({ path, of: argument, typed }) : NOTHING;
  return at.args.length > 0 ? own : { ...own, suggestions: [...subcommands(at.command), ...own.suggestions] };
}

function optionCandidates({ command, path }: Position, typed: string, values: ValueSource): Completion {
  const [, flag = "", value = ""] = /^(--[^=]+)=(.*)$/.exec(typed) ?? [];
  if (flag === "") return { suggestions: optionNames(command), paths: "none" };
  const option = command.options.find(({ long }) => long === flag);
  if (!option) return NOTHING;
  const found = values({ path, of: option, typed: value });
  return {
    ...found,
    suggestions: found.suggestions.map(({ word, about }) => ({ word: `${flag}=${word}`, about })),
  };
}

function optionNames(command: Command): Suggestion[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .flatMap((option) => {
      const word = option.long ?? option.short ?? "";
      const about = option.description;
      return option.optional
        ? [
            { word, about },
            { word: `${word}=`, about },
          ]
        : [{ word, about }];
    });
}

function subcommands(command: Command): Suggestion[] {
  if (command.commands.length === 0) return [];
  return command
    .createHelp()
    .visibleCommands(command)
    .map((one) => ({ word: one.name(), about: one.summary() || one.description() }));
}

function argumentAt({ command, args }: Position): Argument | undefined {
  const all = command.registeredArguments;
  const last = all.at(-1);
  return all[args.length] ?? (last?.variadic ? last : undefined);
}

function walk(program: Command, words: readonly string[]): Position {
  const at: Position = {
    command: program,
    path: [],
    args: [],
    open: undefined,
    given: new Map(),
    isPastOptions: false,
  };
  for (const word of words) step(at, word);
  return at;
}

function step(at: Position, word: string): void {
  if (at.open) {
    at.given.set(at.open.long ?? "", word);
    at.open = undefined;
  } else if (!at.isPastOptions && word === "--") {
    at.isPastOptions = true;
  } else if (!at.isPastOptions && word.startsWith("-")) {
    // An optional value comes with "=" only.
    at.open = at.command.options.find(
      ({ required, short, long }) => required && (word === long || word === short),
    );
  } else {
    enter(at, word);
  }
}

function enter(at: Position, word: string): void {
  const sub = at.args.length === 0 ? at.command.commands.find((one) => one.name() === word) : undefined;
  if (sub) {
    at.command = sub;
    at.path.push(word);
  } else {
    at.args.push(word);
    at.isPastOptions ||= passesOptionsThrough(at);
  }
}

/** `lab run COMMAND` leaves the options behind COMMAND to COMMAND. */
function passesOptionsThrough({ path }: Position): boolean {
  return path.join(" ") === "lab run";
}

/** `lab run -- p2pdma copy …` is completed as `p2pdma copy …`. */
function nestedWords(at: Position, typed: string): string[] | undefined {
  const [command, ...rest] = at.args;
  return passesOptionsThrough(at) && command === "p2pdma" ? [...rest, typed] : undefined;
}

function startingWith(typed: string, { suggestions, paths }: Completion): Completion {
  const seen = new Set<string>();
  const fitting = suggestions.filter(({ word }) => {
    const isNew = !seen.has(word);
    seen.add(word);
    return isNew && word.startsWith(typed);
  });
  return { suggestions: fitting, paths };
}
