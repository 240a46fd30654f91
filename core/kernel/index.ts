// SPDX-License-Identifier: MIT
export { readConfigFile } from "./config-file.ts";
export { examineConfig } from "./config-status.ts";
export * from "./feature.ts";
export { features } from "./features/index.ts";
export { type KernelConfig, parseKernelConfig } from "./options.ts";
export { examineRunning, type RunningKernel, readRunningKernel } from "./running-status.ts";
export { examineSource } from "./source-status.ts";
export { openSourceTree, SourceTree } from "./source-tree.ts";
export { judgeUses, needs, type Verdict } from "./uses.ts";
