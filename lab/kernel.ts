// SPDX-License-Identifier: MIT
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { labUsageError } from "./errors.ts";

/**
 * The lab kernel's image: the one named, else the cached one, else built now (some minutes).
 * @throws LabError when the one named is not there, KernelBuildError when it cannot be built.
 */
export async function labKernel(named?: string, options: { signal?: AbortSignal } = {}): Promise<string> {
  const image = named ?? process.env.P2PDMA_LAB_KERNEL;
  if (image !== undefined) return existing(image);
  const { ensureKernel } = await import("../kernel-series/build.ts");
  return (await ensureKernel(options)).bzImage;
}

function existing(image: string): string {
  if (statSync(image, { throwIfNoEntry: false })?.isFile()) return resolve(image);
  throw labUsageError(
    `Cannot boot "${image}": no such kernel image`,
    "name a bzImage, or let the lab build its own",
  );
}
