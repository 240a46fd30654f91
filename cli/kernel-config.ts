// SPDX-License-Identifier: MIT
import { ExitCode } from "../core/exit-codes.ts";
import { parseKernelConfig, readConfigFile } from "../core/kernel/index.ts";
import {
  type FragmentName,
  fragmentText,
  missingGroups,
  type OptionGroup,
  parseFragment,
  renderFragment,
} from "../kernel-series/fragment.ts";
import type { CliContext } from "./context.ts";

export interface ConfigOptions {
  readonly merge?: string;
  readonly json?: boolean;
}

/** Answers the exit code: 1 when something is missing. @throws P2pdmaError USAGE */
export function showConfig(context: CliContext, name: string, { merge, json }: ConfigOptions): ExitCode {
  const fragment = name as FragmentName; // commander has checked it
  const groups = parseFragment(fragmentText(fragment));
  if (merge === undefined) {
    context.out(json ? renderJson({ fragment, options: flatten(groups) }) : fragmentText(fragment));
    return ExitCode.done;
  }
  const missing = missingGroups(fragment, groups, readConfig(merge));
  if (json) context.out(renderJson({ fragment, config: merge, missing: flatten(missing) }));
  else context.out(renderFragment(missing));
  if (!json) context.err(`${verdict(missing, merge, fragment)}\n`);
  return missing.length > 0 ? ExitCode.failed : ExitCode.done;
}

function readConfig(path: string): Map<string, string> {
  const { values } = parseKernelConfig(readConfigFile(path), path);
  return new Map([...values].map(([name, value]) => [`CONFIG_${name}`, value]));
}

function verdict(missing: readonly OptionGroup[], path: string, fragment: string): string {
  const count = flatten(missing).length;
  return count === 0
    ? `p2pdma: "${path}" has all of the fragment ${fragment}`
    : `p2pdma: "${path}" lacks ${count} ${count === 1 ? "option" : "options"} of the fragment ${fragment}`;
}

function flatten(groups: readonly OptionGroup[]) {
  return groups.flatMap(({ reason, options }) =>
    options.map(({ name, value }) => ({ option: name, value, reason })),
  );
}

function renderJson(content: object): string {
  return `${JSON.stringify({ schema: "p2pdma.kernel-config/1", ...content }, null, 2)}\n`;
}
