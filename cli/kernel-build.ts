// SPDX-License-Identifier: MIT
import { resolve } from "node:path";
import { usageError } from "../core/errors.ts";
import { parseKernelConfig, readConfigFile } from "../core/kernel/index.ts";
import { ensureKernel, type Flavour } from "../kernel-series/build.ts";
import { buildPackages } from "../kernel-series/deb.ts";
import type { CliContext } from "./context.ts";

export interface BuildOptions {
  readonly flavour: Flavour;
  readonly archive?: string;
  readonly deb?: string;
  readonly config?: string;
}

/** @throws P2pdmaError USAGE; KernelBuildError when it cannot be built here */
export async function runBuild(context: CliContext, options: BuildOptions): Promise<void> {
  const { flavour, archive, deb, config } = options;
  if (deb === undefined && config !== undefined) throw usageError("--config belongs to --deb");
  // The build finds its source by this name, and so do the digests that its cache is keyed by.
  if (archive !== undefined) process.env.P2PDMA_KERNEL_SOURCE = resolve(archive);
  if (deb === undefined) {
    const { bzImage } = await ensureKernel({ flavour });
    return context.out(`${bzImage}\n`);
  }
  if (config === undefined) throw usageError("--deb needs a configuration", "add --config /boot/config-...");
  const text = readConfigFile(config);
  parseKernelConfig(text, config);
  for (const path of await buildPackages({ config: text, folder: deb })) context.out(`${path}\n`);
}
