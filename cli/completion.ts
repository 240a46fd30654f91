// SPDX-License-Identifier: MIT
import { Command, Option } from "commander";
import { usageError } from "../core/errors.ts";
import { SystemFiles } from "../core/sysfs.ts";
import { processContext } from "./context.ts";

const EXAMPLES = `
SHELL is bash, zsh or fish. Completed are subcommands, options and their values: block devices with size and model,
/dev/disk/by-id/…, serial:… and wwid:…, providers of p2pmem, journals, topologies of the lab, files.

Examples:
  In this shell, now:
    source <(p2pdma completion bash)
    source <(p2pdma completion zsh)
    p2pdma completion fish | source

  For every shell of yours:
    p2pdma completion bash > ~/.local/share/bash-completion/completions/p2pdma
    p2pdma completion zsh > ~/.zfunc/_p2pdma         with fpath+=(~/.zfunc) before compinit in ~/.zshrc
    p2pdma completion fish > ~/.config/fish/completions/p2pdma.fish`;

/** Takes any number of words behind `--complete`, whatever the program's other commands do. */
class CompletionCommand extends Command {
  override copyInheritedSettings(source: Command): this {
    return super.copyInheritedSettings(source).allowExcessArguments();
  }
}

export function completionCommand(): Command {
  return new CompletionCommand("completion")
    .description("print the script that completes p2pdma's words in bash, zsh or fish")
    .argument("<shell>", "whose script: bash, zsh or fish")
    .addOption(new Option("--complete", "the scripts ask with it: what could the last word be?").hideHelp())
    .addHelpText("after", EXAMPLES)
    .action(async (shell: string, options: { complete?: boolean }, command: Command) => {
      processContext.out(options.complete ? await answer(command.args) : await script(shell));
    });
}

async function script(name: string): Promise<string> {
  const { completionScripts, SHELLS } = await import("./completion-scripts.ts");
  const shell = SHELLS.find((known) => known === name);
  if (!shell) throw usageError(`No completion for the shell "${name}"`, `there is ${SHELLS.join(", ")}`);
  return completionScripts[shell];
}

/** Lines of word, tab and description; at last `:` and what names of files the shell should offer. */
async function answer(words: readonly string[]): Promise<string> {
  const { completeWords } = await import("./completion-engine.ts");
  const { valuesFrom } = await import("./completion-values.ts");
  const { devicesOf, devicesOfLab } = await import("./completion-devices.ts");
  const { wholeProgram } = await import("./program.ts");
  const { suggestions, paths } = completeWords(await wholeProgram(), words, {
    here: valuesFrom(devicesOf(new SystemFiles())),
    inLab: (topology) => valuesFrom(devicesOfLab(topology)),
  });
  const lines = suggestions.map(({ word, about }) => `${word}\t${oneLine(about)}`);
  return `${[...lines, `:${paths}`].join("\n")}\n`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
