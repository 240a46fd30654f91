// SPDX-License-Identifier: MIT
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seriesFolder } from "../../../kernel-series/folders.ts";

export interface Scratch {
  /** A copy of the patches and configurations, free to be changed. */
  readonly series: string;
  /** An empty cache. */
  readonly cache: string;
}

/** Runs `body` with a folder of its own, and a kernel source that is quick to read. */
export async function withScratch(body: (scratch: Scratch) => void | Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "p2pdma-series-"));
  const scratch = { series: join(folder, "series"), cache: join(folder, "cache") };
  try {
    mkdirSync(scratch.cache);
    process.env.P2PDMA_KERNEL_SOURCE = join(folder, "linux.tar.xz");
    writeFileSync(process.env.P2PDMA_KERNEL_SOURCE, "source");
    for (const name of ["patches", "config"])
      cpSync(join(seriesFolder(), name), join(scratch.series, name), { recursive: true });
    await body(scratch);
  } finally {
    delete process.env.P2PDMA_KERNEL_SOURCE;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Waits until `condition` holds; gives up after some seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
