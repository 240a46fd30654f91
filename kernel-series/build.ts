// SPDX-License-Identifier: MIT
import { mkdirSync } from "node:fs";
import { type KernelImage, publish, readCached } from "./cache.ts";
import { buildFolder, cacheRoot, seriesFolder } from "./folders.ts";
import { type Flavour, type InputOptions, kernelInputs, kernelKey } from "./inputs.ts";
import { withInterrupts } from "./interrupts.ts";
import { withLock } from "./lock.ts";
import { createProgress } from "./progress.ts";
import { requireBuildTools } from "./requirements.ts";
import { compile, configure, unpack } from "./steps.ts";

export type { KernelImage } from "./cache.ts";
export { KernelBuildError } from "./errors.ts";
export { cacheRoot } from "./folders.ts";
export { type Flavour, type KernelInputs, kernelInputs, kernelKey } from "./inputs.ts";

export interface BuildOptions extends InputOptions {
  /** Stops the build, besides SIGINT, SIGTERM and SIGHUP. */
  readonly signal?: AbortSignal;
  /** Where progress is shown; default: stderr. */
  readonly output?: NodeJS.WriteStream | NodeJS.WritableStream;
}

/** The cached kernel for the patches and the configuration as they are now; does not build. */
export function findKernel(flavour: Flavour = "lab", options: InputOptions = {}): KernelImage | undefined {
  const cache = options.cache ?? cacheRoot();
  return readCached(cache, kernelInputs({ ...options, flavour }));
}

/**
 * The kernel for the patches and the configuration as they are now, built if it is not in the cache: some
 * minutes on two cores, and 600 MB of disk space while it lasts. A build that was interrupted is taken up again,
 * and two at once build once. Throws KernelBuildError.
 */
export async function ensureKernel(options: BuildOptions = {}): Promise<KernelImage> {
  const cache = options.cache ?? cacheRoot();
  const inputs = kernelInputs(options);
  const cached = readCached(cache, inputs);
  if (cached) return cached;

  requireBuildTools(cache);
  const output = options.output ?? process.stderr;
  const folder = buildFolder(cache, kernelKey(inputs));
  const onWait = () =>
    void output.write(`kernel: waiting for another process that builds it (${folder.lock})\n`);
  return withInterrupts(options.signal, (signal) =>
    withLock(folder.lock, { onWait, signal }, async (lock) => {
      const built = readCached(cache, inputs);
      if (built) return built;
      output.write(`kernel: building it once, some minutes; log: ${folder.log}\n`);
      const startedMs = Date.now();
      const series = options.series ?? seriesFolder();
      mkdirSync(folder.path, { recursive: true });
      const progress = createProgress({ output });
      try {
        const build = { series, inputs, folder, progress, signal, lock };
        await unpack(build);
        await configure(build);
        await compile(build);
      } finally {
        progress.stop();
      }
      return publish(cache, inputs, startedMs);
    }),
  );
}
