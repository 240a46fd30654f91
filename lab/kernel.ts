// SPDX-License-Identifier: MIT
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { LabError, labUsageError } from "./errors.ts";

/** The lab kernel's image: the one named, else the cached one, else built now (some minutes). */
export async function labKernel(named?: string, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const image = named ?? env.P2PDMA_LAB_KERNEL;
  if (image !== undefined) return existing(image);
  try {
    const { ensureKernel } = await import("../kernel-series/build.ts");
    const { bzImage } = await ensureKernel({});
    return bzImage;
  } catch (cause) {
    throw new LabError(`Cannot provide the lab kernel: ${(cause as Error).message}`, {
      hint:
        (cause as { hint?: string }).hint ?? "p2pdma lab run --kernel FILE takes one that is built already",
      cause,
    });
  }
}

function existing(image: string): string {
  if (statSync(image, { throwIfNoEntry: false })?.isFile()) return resolve(image);
  throw labUsageError(
    `Cannot boot "${image}": no such kernel image`,
    "name a bzImage, or let the lab build its own",
  );
}
