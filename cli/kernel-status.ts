// SPDX-License-Identifier: MIT
import { resolve } from "node:path";
import {
  examineConfig,
  examineRunning,
  examineSource,
  type Finding,
  judgeUses,
  openSourceTree,
  parseKernelConfig,
  readConfigFile,
  readRunningKernel,
  type Verdict,
} from "../core/kernel/index.ts";
import { SystemFiles } from "../core/sysfs.ts";
import type { CliContext } from "./context.ts";
import { kernelStatusJson } from "./kernel-status-json.ts";
import { renderKernelStatus } from "./kernel-status-text.ts";

export interface StatusOptions {
  readonly source?: string;
  readonly config?: string;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

/** What was judged, and the answer. */
export interface KernelStatus {
  readonly kind: "running" | "source" | "config";
  /** The directory or file; null for the running kernel. */
  readonly path: string | null;
  readonly version: string | null;
  readonly uses: readonly Verdict[];
  readonly findings: readonly Finding[];
}

/** @throws P2pdmaError USAGE when there is no kernel tree or configuration at the path */
export function showStatus(context: CliContext, options: StatusOptions): void {
  const status = kernelStatus(options);
  const text = options.json
    ? `${JSON.stringify(kernelStatusJson(status), null, 2)}\n`
    : renderKernelStatus(status, options.verbose ?? false);
  context.out(text);
}

export function kernelStatus({ source, config }: StatusOptions): KernelStatus {
  if (source !== undefined) {
    const tree = openSourceTree(source);
    return settle("source", resolve(source), tree.version(), examineSource(tree));
  }
  if (config !== undefined) {
    const parsed = parseKernelConfig(readConfigFile(config), config);
    return settle("config", resolve(config), parsed.release, examineConfig(parsed));
  }
  const kernel = readRunningKernel(new SystemFiles());
  return settle("running", null, kernel.release, examineRunning(kernel));
}

function settle(
  kind: KernelStatus["kind"],
  path: string | null,
  version: string | undefined,
  findings: readonly Finding[],
): KernelStatus {
  return { kind, path, version: version ?? null, uses: judgeUses(findings), findings };
}
