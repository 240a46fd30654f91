// SPDX-License-Identifier: MIT
// A manual page of a command, from the same definitions that its --help is made of.
import type { EventEmitter } from "node:events";
import type { Argument, Command, Option } from "commander";
import { exitCodeMeaning } from "../core/exit-codes.ts";
import { readHelpText } from "./help-text.ts";
import { FACTS, type Facts } from "./man-facts.ts";
import { bold, definition, escapeText, italic, section } from "./roff.ts";

export interface Release {
  readonly version: string;
  /** As in the changelog: `2026-11-21`. */
  readonly date: string;
}

/** Name of a command's page: `p2pdma-cmb-show`. */
export function pageName(path: readonly string[]): string {
  return ["p2pdma", ...path].join("-");
}

/** @param path names of the subcommands down to this one; empty for the program itself */
export function manPage(command: Command, path: readonly string[], release: Release): string {
  const name = pageName(path);
  const text = readHelpText(afterHelp(command));
  const facts = FACTS[path.join(" ")] ?? FACTS[path[0] ?? ""] ?? {};
  return [
    `.\\" Made from the definitions of "${["p2pdma", ...path].join(" ")} --help".`,
    `.TH ${name.toUpperCase()} 1 ${release.date} "p2pdma ${release.version}" "p2pdma manual"`,
    ".nh",
    ".ad l",
    section("NAME", `${escapeText(name)} \\- ${escapeText(command.description())}`),
    section("SYNOPSIS", synopsis(command, path)),
    section("DESCRIPTION", description(command, text.description)),
    section("ARGUMENTS", command.registeredArguments.map(argumentEntry).join("\n")),
    section("OPTIONS", visibleOptions(command).map(optionEntry).join("\n")),
    section("COMMANDS", visibleCommands(command).map(commandEntry).join("\n")),
    ...text.sections.map(({ title, body }) => section(title.toUpperCase(), body)),
    section("NOTES", text.notes),
    section("EXIT STATUS", exitStatus(text.exitCodes)),
    section("FILES", entries(facts.files)),
    section("ENVIRONMENT", entries(facts.environment)),
    section("SEE ALSO", seeAlso(command, path, facts)),
    "",
  ]
    .filter((part, index, all) => part !== "" || index === all.length - 1)
    .join("\n");
}

/** What addHelpText("after") adds: the listeners of the help's event print it. */
export function afterHelp(command: Command): string {
  let text = "";
  const write = (more: string) => {
    text += more;
  };
  // Commander is an EventEmitter, which its types do not say.
  (command as unknown as EventEmitter).emit("afterHelp", { error: false, command, write });
  return text;
}

function synopsis(command: Command, path: readonly string[]): string {
  const words = [bold(["p2pdma", ...path].join(" "))];
  if (visibleOptions(command).length > 0) words.push(`[${italic("options")}]`);
  if (visibleCommands(command).length > 0) words.push(`${italic("command")} ...`);
  words.push(...command.registeredArguments.map(argumentTerm));
  return words.join(" ");
}

function argumentTerm(argument: Argument): string {
  const name = `${italic(argument.name())}${argument.variadic ? " ..." : ""}`;
  return argument.required ? name : `[${name}]`;
}

function description(command: Command, more: string): string {
  return [`.PP\n${sentence(command.description())}`, more].filter(Boolean).join("\n");
}

function visibleOptions(command: Command): Option[] {
  return command.createHelp().visibleOptions(command);
}

/** Without the implied "help", which has no page. */
function visibleCommands(command: Command): Command[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((one) => one.name() !== "help");
}

function argumentEntry(argument: Argument): string {
  return definition(argumentTerm(argument), sentence(argument.description, argument.argChoices));
}

function optionEntry(option: Option): string {
  const value = /[<[](.*)[>\]]/.exec(option.flags)?.[1];
  const names = [option.short, option.long].filter((name) => name !== undefined).map(bold);
  const separator = option.optional ? `[=${italic(value ?? "")}]` : value ? ` ${italic(value)}` : "";
  const fallback = typeof option.defaultValue === "string" ? ` Default: ${option.defaultValue}.` : "";
  return definition(
    `${names.join(", ")}${separator}`,
    `${sentence(option.description, option.argChoices)}${escapeText(fallback)}`,
  );
}

/** Begins with a capital, unless with a word that is typed like this. */
function sentence(text: string, choices: readonly string[] = []): string {
  const [first = ""] = text.split(/[\s,:]/, 1);
  const isTyped = /\d/.test(first) || choices.includes(first);
  const start = isTyped ? text : `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
  const whole = `${start}${/[.?!]$/.test(text) ? "" : "."}`;
  return escapeText(choices.length > 0 ? `${whole} One of ${choices.join(", ")}.` : whole);
}

function commandEntry(command: Command): string {
  return definition(bold(command.name()), sentence(command.description()));
}

function exitStatus(own: string): string {
  const table = Object.entries(exitCodeMeaning).map(([code, meaning]) =>
    definition(bold(code), sentence(meaning)),
  );
  return [own, ".PD 0", ...table, ".PD"].filter(Boolean).join("\n");
}

function entries(facts: Readonly<Record<string, string>> = {}): string {
  return Object.entries(facts)
    .map(([name, text]) => definition(italic(name), escapeText(text)))
    .join("\n");
}

function seeAlso(command: Command, path: readonly string[], facts: Facts): string {
  const parent = path.length > 0 ? [pageName(path.slice(0, -1))] : [];
  const children = visibleCommands(command).map((one) => pageName([...path, one.name()]));
  const related = (facts.related ?? [])
    .filter((name) => name !== path.join(" "))
    .map((name) => pageName(name.split(" ")));
  const pages = [...new Set([...parent, ...children, ...related])].map((name) => `${bold(name)}(1)`);
  const docs = (facts.docs ?? []).map((name) => italic(`docs/${name}`));
  return [pages.join(",\n"), ...(docs.length > 0 ? [".PP", `In the package: ${docs.join(", ")}`] : [])].join(
    "\n",
  );
}
