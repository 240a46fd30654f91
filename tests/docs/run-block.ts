// SPDX-License-Identifier: MIT
import type { Block, Step } from "./blocks.ts";
import { difference } from "./compare.ts";
import type { Place } from "./places.ts";

export interface StepResult {
  readonly step: Step;
  readonly output: string;
  /** What is wrong with it; undefined when it is as the text says. */
  readonly problem: string | undefined;
}

/** Begins a line that no command prints. */
const MARK = "\u0001";

/** Runs a block's commands in one shell, so that `cd` and variables hold, and compares them with the text. */
export async function runBlock(block: Block, place: Place): Promise<StepResult[]> {
  const { setup, map } = block.directive;
  const replace = (text: string) => map.reduce((so, [from, to]) => so.replaceAll(from, to), text);
  const commands = block.steps.map(({ command }) => replace(command));
  const [before = "", ...parts] = (await place.run(script(setup.map(replace), commands))).split(`\n${MARK}`);
  const [setupCode = "", ...outputs] = parts;
  if (setupCode !== "0")
    return block.steps.map((step) => failed(step, `its set-up failed (${setupCode}):\n${before}`));
  return block.steps.map((step, index) => judge(step, outputs[index], replace));
}

function judge(step: Step, part: string | undefined, replace: (text: string) => string): StepResult {
  if (part === undefined) return failed(step, "the command before it ended the shell, or it took too long");
  const [, code = "", output = ""] = /^(\d+)\n([\s\S]*)$/.exec(part) ?? [];
  if (Number(code) !== step.exitCode) {
    return { step, output, problem: `exit code ${code} instead of ${step.exitCode}:\n${output}` };
  }
  return { step, output, problem: difference(step.output.map(replace), withoutBanner(output)) };
}

/** npm says what it runs, and its opinion of its user's settings. */
function withoutBanner(output: string): string {
  return output.replace(/^(npm (warn|notice) .*\n|> .*\n|\n)+/, "");
}

function failed(step: Step, problem: string): StepResult {
  return { step, output: "", problem };
}

/** Each command's output comes behind its mark and exit code. */
function script(setup: readonly string[], commands: readonly string[]): string {
  return [
    "exec 2>&1 </dev/null",
    "set -o pipefail",
    'sudo() { "$@"; }', // the guest's user is root
    "(set -e\n:",
    ...setup,
    ")",
    `printf '\\n\\001%d' $?`,
    "out=$(mktemp)",
    ...commands.map(
      (command) => `{ ${command}\n} >"$out" 2>&1; code=$?; printf '\\n\\001%d\\n' $code; cat "$out"`,
    ),
  ].join("\n");
}
